-- Every worker renews its leases every three seconds: this index holds the leased jobs alone.

CREATE INDEX work_by_lease ON work (lease) WHERE lease IS NOT NULL;
