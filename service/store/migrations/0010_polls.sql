-- What a page that waits may say of the provider: when its last answered poll began, and since when polls fail.

ALTER TABLE companies ADD COLUMN polled_at DOUBLE PRECISION;
ALTER TABLE companies ADD COLUMN failed_at DOUBLE PRECISION;
