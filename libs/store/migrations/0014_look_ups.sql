-- The two questions after overdue work stay look-ups. The planner takes "synced_seq < dirty_seq" for a third of the table, although the partial indexes
-- that answer it are nearly empty, and from some hundred thousand rows on it would rather read everything.
ALTER FUNCTION due_work(integer) SET enable_seqscan = off;
ALTER FUNCTION due_work(integer) SET enable_hashjoin = off;
ALTER FUNCTION due_work(integer) SET enable_mergejoin = off;
ALTER FUNCTION overdue_work(integer, bigint) SET enable_seqscan = off;
ALTER FUNCTION overdue_work(integer, bigint) SET enable_hashjoin = off;
ALTER FUNCTION overdue_work(integer, bigint) SET enable_mergejoin = off;
