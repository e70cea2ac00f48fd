"""A worker whose handler the test controls."""

from service.domain.changes import Job, JobKind, LeasedJob
from service.store import Store
from service.worker import Worker


class Desk:
    """A worker whose handler notes what it was asked, and then does what the test says."""

    def __init__(self, store: Store, outcome: object = None) -> None:
        self.asked: list[str] = []
        self.counted: list[tuple[str, str]] = []
        self.outcome = outcome
        self.worker = Worker(store, {JobKind.PREPARE: self.handle}, lambda *how: self.counted.append(how))

    async def handle(self, job: LeasedJob) -> object:
        self.asked.append(job.ref)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def due(ref: str = "ses_1", in_seconds: float = 0.0) -> Job:
    return Job(JobKind.PREPARE, ref, in_seconds)
