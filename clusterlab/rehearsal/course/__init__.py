"""A whole class rehearsed on the emulated cloud, in fast-forward: from its roster to an empty account.

clusterlab rehearse --class clusters/demo.yaml

A class is a list of acts (`acts.py`), played in order. Each says what it does and which acts it needs, and raises a
`StepError` where something is not as it must be. An act that fails is a FAIL, those that need it are skipped, and the
last two, teardown and report, are played whatever happened. What the acts share is a `Course` (`course.py`): the real
SkyPilot, the emulated account, the ledger, and the class's clock.

What can be forwarded honestly is time in which nobody computes. So there are two paces, and no other:

- **at one second a second**: whatever SkyPilot launches and students submit. Leases, reservations and turns in the
  queue are of this machine's time, as are autostop and Ray, and the class's clock begins there.
- **forwarded** (`clock.py`), once nothing more is launched: by hours, where machines only idle. EC2's times, the date
  of its answers, metering, ledger, notices, leases, sweeps and bills all go by this clock.

Which launches are real machines: the class's Ray cluster, one machine each for two students, and a spot machine with
its successor. The other runs, every student's every lab, are Ray jobs on the class's cluster. Pulumi's engine is not to
be had offline, so that `infra.emulated` stands for it, with a state of its own, and is killed in the middle.
"""
