"""The build under faults: processes that are killed, full disks, damaged caches."""
