"""A semester on a discrete-event clock: the policy, the ledger, the meter and the reaper against an emulated cloud."""
