"""What operators see of a process: log lines and metrics. No other module formats either."""
