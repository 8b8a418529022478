"""The agent as a graph of LangGraph: a policy decides, a guard looks at the call, a tool does it, and so on.

No way through the graph is without end: each pass by the policy is a step, and steps are counted.
"""

from __future__ import annotations

import asyncio
import operator
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from clusterlab.errors import ClusterlabError
from jobs.agents.calls import PLAN, SEARCH, Call
from jobs.agents.guard import Guard
from jobs.agents.library import Library
from jobs.agents.policy import Policy, Said
from jobs.agents.sandbox import Sandbox
from jobs.agents.trace import Ended, Step
from jobs.agents.turn import Role, Turn, tainted
from jobs.thinking.budget import Budget, SpentError
from jobs.thinking.client import TooLongError

if TYPE_CHECKING:
    from jobs.agents.tasks import Task

POLICY, GUARD, TOOL, CORRECT = "policy", "guard", "tool", "correct"
NODES_A_STEP = 3
"""At most, between two decisions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """Of one task."""

    max_steps: int
    """Decisions of the policy."""
    max_tokens: int
    """Read and written."""
    max_malformed: int = 3
    """In a row, after which the task is given up."""


class State(TypedDict):
    """What goes from node to node; lists grow."""

    turns: Annotated[list[Turn], operator.add]
    steps: Annotated[list[Step], operator.add]
    said: Said
    num_calls: int
    malformed: int
    malformed_in_a_row: int
    prompt_tokens: int
    new_tokens: int
    usd_begun: float
    """What the whole run had cost before this task."""
    ended: Ended | None
    error: ClusterlabError | None
    """What the run ends with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent:
    """A policy, with what it may use."""

    policy: Policy
    guard: Guard
    library: Library
    sandbox: Sandbox
    bounds: Bounds
    budget: Budget
    """Of the whole run; the policy takes from it, and dollars are read off it."""
    instructions: str
    """What stands before each task."""

    async def solve(self, task: Task) -> State:
        """Everything that came of one task; errors of the endpoint and spent limits are in it, not raised."""
        graph = self._graph()
        first = [Turn(role=Role.SYSTEM, text=self.instructions), Turn(role=Role.USER, text=task.question)]
        begin: dict[str, Any] = {
            "usd_begun": self.budget.usd,
            "turns": first,
            "steps": [Step.of(turn) for turn in first],
            "said": Said(text=""),
            "ended": None,
            "error": None,
        }
        counts = ("num_calls", "malformed", "malformed_in_a_row", "prompt_tokens", "new_tokens")
        limit = NODES_A_STEP * (self.bounds.max_steps + 2)
        state: State = await graph.ainvoke(begin | dict.fromkeys(counts, 0), {"recursion_limit": limit})
        return state

    def _graph(self) -> Any:
        from langgraph.graph import END, START, StateGraph

        graph = StateGraph(State)
        for name, node in ((POLICY, self._decide), (GUARD, self._look), (TOOL, self._do), (CORRECT, self._correct)):
            graph.add_node(name, node)
        graph.add_edge(START, POLICY)
        graph.add_conditional_edges(POLICY, _after_policy, {GUARD: GUARD, CORRECT: CORRECT, END: END})
        graph.add_conditional_edges(GUARD, _after_guard, {TOOL: TOOL, POLICY: POLICY})
        graph.add_edge(TOOL, POLICY)
        graph.add_conditional_edges(CORRECT, _after_correction, {POLICY: POLICY, END: END})
        return graph.compile()

    async def _decide(self, state: State) -> dict[str, Any]:
        """Ask the policy, unless a limit of the task is reached."""
        if state["num_calls"] >= self.bounds.max_steps:
            return {"ended": Ended.STEPS}
        if state["prompt_tokens"] + state["new_tokens"] >= self.bounds.max_tokens:
            return {"ended": Ended.TOKENS}
        begun = time.monotonic()
        try:
            said = await self.policy.decide(state["turns"])
        except SpentError as error:
            return {"ended": Ended.SPENT, "error": error}
        except TooLongError:
            return {"ended": Ended.CONTEXT}
        except ClusterlabError as error:
            return {"ended": Ended.ENDPOINT, "error": error}
        return self._decided(state, said, time.monotonic() - begun)

    def _decided(self, state: State, said: Said, seconds: float) -> dict[str, Any]:
        # Who has read what cannot be trusted says nothing that can be.
        turn = Turn(role=Role.ASSISTANT, text=said.text, call=said.call, trusted=not tainted(state["turns"]))
        counts = {
            "num_calls": state["num_calls"] + 1,
            "prompt_tokens": state["prompt_tokens"] + said.prompt_tokens,
            "new_tokens": state["new_tokens"] + said.new_tokens,
        }
        total = counts["prompt_tokens"] + counts["new_tokens"]
        usd = self.budget.usd - state["usd_begun"]
        told = {"tokens": said.tokens, "total_tokens": total, "total_usd": usd, "seconds": seconds}
        over = said.call is None and said.malformed is None
        changes: dict[str, Any] = {"turns": [turn], "steps": [Step.of(turn, **told)], "said": said, **counts}
        return changes | ({"ended": Ended.ANSWERED} if over else {}) | ({"malformed_in_a_row": 0} if said.call else {})

    async def _look(self, state: State) -> dict[str, Any]:
        """Let the guard see the call."""
        refusal = self.guard.refusal(_call(state), state["turns"][:-1])
        if refusal is None:
            return {}
        return _answered(Turn(role=Role.TOOL, text=f"refused: {refusal}", call=_call(state), refused=True))

    async def _do(self, state: State) -> dict[str, Any]:
        """Make the call; it may block, so it is done beside the loop."""
        call, begun = _call(state), time.monotonic()
        text, ended = await asyncio.to_thread(self._made, call)
        trusted = call.tool != SEARCH and not tainted(state["turns"])
        turn = Turn(role=Role.TOOL, text=text, call=call, trusted=trusted)
        return _answered(turn, sandbox=ended, seconds=time.monotonic() - begun)

    def _made(self, call: Call) -> tuple[str, str]:
        """What a call gives, and how code ended."""
        if call.tool == SEARCH:
            return self.library.search(call.arguments["query"]) or "nothing was found", ""
        if call.tool == PLAN:
            return "noted", ""
        outcome = self.sandbox.run(call.code, call.arguments.get("inputs"))
        said = outcome.output or "it printed nothing"
        return (f"{said}\n(stopped: {outcome.end})" if outcome.stopped else said), str(outcome.end)

    async def _correct(self, state: State) -> dict[str, Any]:
        """Say what is wrong with a message that was no call; too many of them in a row are the end."""
        in_a_row = state["malformed_in_a_row"] + 1
        counts: dict[str, Any] = {"malformed": state["malformed"] + 1, "malformed_in_a_row": in_a_row}
        if in_a_row > self.bounds.max_malformed:
            return counts | {"ended": Ended.MALFORMED}
        return _answered(Turn(role=Role.USER, text=f"no call: {state['said'].malformed}", refused=True)) | counts


def _call(state: State) -> Call:
    call = state["said"].call
    if call is None:
        raise AssertionError
    return call


def _answered(turn: Turn, **values: Any) -> dict[str, Sequence[Any]]:
    return {"turns": [turn], "steps": [Step.of(turn, **values)]}


def _after_policy(state: State) -> str:
    from langgraph.graph import END

    if state["ended"] is not None:
        return str(END)
    return CORRECT if state["said"].call is None else GUARD


def _after_guard(state: State) -> str:
    return POLICY if state["turns"][-1].refused else TOOL


def _after_correction(state: State) -> str:
    from langgraph.graph import END

    return str(END) if state["ended"] is not None else POLICY
