"""PostgreSQL event store.

- `recorder` appends events and their transactional writes, each command in one transaction and one round trip.
- `group_commit` combines single-event appends of concurrent threads into one transaction.
- `settled_reads` reads the global order without missing events of transactions that commit late.
- `sql/appending.sql` describes the protocol between writers and readers and proves that it is correct.
- `lineage` detects that the store was replaced by one with another history.
- `mapper` and `stored_events` convert and inspect events; `account_streams` and `snapshot_recorder` serve aggregates.
"""
