-- Records of who changed an endpoint are deleted by their age (MAGICLINK_RETENTION_DAYS).

CREATE INDEX endpoint_audit_by_time ON endpoint_audit (at);
