"""AWS as the reaper reaches it: one client a service and region, patient with throttling."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from clusterlab.errors import ClusterlabError, InputError, Problem, UnreachableError

T = TypeVar("T")
R = TypeVar("R")
HOME = "us-east-1"
"""Where nothing else is configured; every account has it."""
# The other modes have a quota of tries for all calls together, which runs out where every call is throttled.
RETRIES = Config(retries={"mode": "legacy", "total_max_attempts": 5}, connect_timeout=10, read_timeout=60)
MAX_SKEW = timedelta(minutes=5)
"""AWS takes no request whose time is further off."""
ERRORS = (ClientError, BotoCoreError)
CREDENTIALS = "AWS credentials"
_REFUSED = (
    "AuthFailure",
    "ExpiredToken",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)


@dataclass(kw_only=True)
class Cloud:
    """An account, by the credentials that boto3 finds."""

    session: Any = field(default_factory=boto3.session.Session)
    config: Config = RETRIES
    num_threads: int = 16
    """How much is asked at once."""
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def home(self) -> str:
        """The region that is configured."""
        return str(self.session.region_name or HOME)

    def client(self, service: str, region: str) -> Any:
        """The client of a service in a region; made once, and one at a time: boto3's session is for one thread."""
        with self._lock:
            if (service, region) not in self._clients:
                made = self.session.client(service, region_name=region, config=self.config)
                self._clients[service, region] = made
            return self._clients[service, region]

    def side_by_side(self, ask: Callable[[T], R], of: Sequence[T]) -> list[R]:
        """Ask of each, several at once where waiting for the answers takes longer than a thread costs."""
        if self.num_threads == 1:
            return list(map(ask, of))
        with ThreadPoolExecutor(self.num_threads) as pool:
            return list(pool.map(ask, of))

    def account(self, now: datetime) -> str:
        """The number of the account.

        Raises:
            InputError: there are no credentials, or the cloud does not take them.
            UnreachableError: it does not answer.
            ClusterlabError: its clock is not ours, and leases are nothing without a clock.
        """
        account, theirs = self.account_at(now)
        if abs(theirs - now) > MAX_SKEW:
            raise ClusterlabError(
                f"clock: {now:%Y-%m-%d %H:%M:%S} UTC here, {theirs:%Y-%m-%d %H:%M:%S} in the cloud; "
                f"allowed: {MAX_SKEW // timedelta(minutes=1)} minutes apart; nothing was touched"
            )
        return account

    def account_at(self, now: datetime) -> tuple[str, datetime]:
        """The number of the account, and the time by the cloud's own clock.

        Raises:
            InputError: there are no credentials, or the cloud does not take them.
            UnreachableError: it does not answer.
        """
        try:
            answer = self.client("sts", self.home).get_caller_identity()
        except ERRORS as error:
            raise _no_entry(error) from error
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        return str(answer["Account"]), parsedate_to_datetime(date).astimezone(UTC) if date else now

    def regions(self, wanted: Sequence[str] = ()) -> tuple[str, ...]:
        """The regions that the account can use, or those of them that are wanted.

        Raises:
            InputError: one that is wanted is none, or the account may not be asked.
            UnreachableError: the cloud does not answer.
        """
        try:
            answer = self.client("ec2", self.home).describe_regions()
        except ERRORS as error:
            raise _no_entry(error) from error
        known = sorted(each["RegionName"] for each in answer["Regions"])
        unknown = [region for region in wanted if region not in known]
        if unknown:
            allowed = f"allowed: {', '.join(known)}"
            raise InputError([Problem(path="--region", key=each, message=f"unknown; {allowed}") for each in unknown])
        return tuple(dict.fromkeys(wanted)) or tuple(known)


def code_of(error: Exception) -> str:
    """The cloud's own code, such as `DependencyViolation`; of what came from boto3 itself its name."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__


def told(error: Exception) -> str:
    """What went wrong, on one line."""
    if isinstance(error, ClientError):
        return f"{code_of(error)}: {' '.join(str(error.response['Error'].get('Message', '')).split())}"
    return f"{code_of(error)}: {' '.join(str(error).split())}"


def _no_entry(error: Exception) -> ClusterlabError:
    """Why not even the account's own number is to be had."""
    name = code_of(error)
    if "Credential" in name or name in ("ProfileNotFound", *_REFUSED):
        allowed = "allowed: what boto3 finds, such as AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        return InputError(Problem(path=CREDENTIALS, message=f"{told(error)}; {allowed}"))
    if isinstance(error, BotoCoreError):
        return UnreachableError(f"AWS: {told(error)}")
    return InputError(Problem(path=CREDENTIALS, message=f"{told(error)}; allowed: those of a role that may ask"))
