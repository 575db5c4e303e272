"""The advisory locks that processes on one database share, each with a number of its own.

Some are taken with a second number: of a fact, a batch, a worker. Those of SQL functions are here too.
"""

MIGRATION_LOCK = 7_022_001
"""Held by whoever changes the schema."""
PARTITION_LOCK = 7_022_002
"""Held by whoever makes partitions."""
LEAD_LOCK = 7_022_004
"""Held by the process that runs the schedule."""
MAKING_LOCK = 7_022_005
"""Held by whoever makes or removes entities, instruments and series for an import."""
WORK_LOCK = 7_022_006
"""Held with the number of a worker for as long as it works chunks of back-fills."""
BUDGET_LOCK = 7_022_007
"""Held with the name of a budget by whoever spends of it: a function of the schema takes it."""
RUNNING_LOCK = 7_022_008
"""Held with the number of a batch for as long as its import runs."""
OUTBOX_LOCK = 7_022_009
"""Held by whoever puts events in order."""
LEDGER_LOCK = 7_022_010
"""Held by whoever enters gaps."""
RETENTION_LOCK = 7_022_011
"""Held with a fact by whoever drops its partitions."""
TIDY_LOCK = 7_022_012
"""Held by whoever makes indexes of finished days anew."""
TICKS_LOCK = 7_022_013
"""Held with a source and currency by whoever collects its ticks."""
ENTITY_LOCK = 7_022_020
"""Held by whoever changes which ids are which entity's."""
WRITE_LOCK = 7_022_100
"""Held with a fact by whoever writes to it; with a tick fact and a day, shared, by whoever writes ticks of that day."""
PERPSPEC_LOCK = 7_022_200
"""Held by whoever registers a perpspec."""
