-- Every idle worker asks once a second when the next job is due: by this index it reads one row, not the table.

CREATE INDEX work_by_next ON work ((CASE WHEN lease IS NULL THEN due_at ELSE lease_until END));
