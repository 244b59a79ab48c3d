-- As before, and: an occurrence goes on where its series' sequence stands (guests' answers for it were told in that one), and one of an imported
-- series is the calendar's as the series is.
CREATE OR REPLACE FUNCTION take_in_tasks(tenants text[], users text[], ids text[], versions bigint[], deletions boolean[], snapshots text[], series text[],
                              occurrences text[], splits text[])
    RETURNS TABLE (tenant_id text, user_id text, calendar_id uuid, task_id text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH input AS (
        -- The newest version of each task in this batch; rows are locked in key order so that two batches cannot deadlock.
        SELECT DISTINCT ON (i.tenant, i.id) i.* FROM unnest(tenants, users, ids, versions, deletions, snapshots, series, occurrences, splits)
               AS i (tenant, usr, id, version, deletion, snapshot, of_series, occurrence, split_from_task)
         ORDER BY i.tenant, i.id, i.version DESC
    ), placed AS (
        SELECT i.*, place_of_task(i.tenant, i.id, i.usr, coalesce(i.snapshot::jsonb ->> 'calendar', '')) AS place FROM input i
    ), stored AS (
        INSERT INTO tasks AS t (tenant_id, task_id, user_id, version, snapshot, deleted, calendar_id, state, series_task_id, occurrence,
                                split_from_task_id, split_from, update_seq, origin)
        SELECT p.tenant, p.id, p.usr, p.version, p.snapshot::jsonb, p.deletion, p.place, CASE WHEN p.place IS NULL THEN 'waiting' ELSE 'pending' END,
               nullif(p.of_series, ''), CASE WHEN p.of_series = '' THEN '' ELSE p.occurrence END,
               nullif(p.split_from_task, ''), CASE WHEN p.split_from_task = '' THEN '' ELSE p.occurrence END,
               coalesce(s.update_seq, 0), coalesce(s.origin, 'crm')
          FROM placed p LEFT JOIN tasks s ON (s.tenant_id, s.task_id) = (p.tenant, nullif(p.of_series, '')) ORDER BY p.tenant, p.id
        ON CONFLICT (tenant_id, task_id) DO UPDATE
           SET user_id = excluded.user_id, version = excluded.version, snapshot = excluded.snapshot, deleted = excluded.deleted, received_at = now(),
               calendar_id = coalesce(excluded.calendar_id, t.calendar_id), dirty_seq = t.dirty_seq + 1, retry_at = NULL, failures = 0,
               state = CASE WHEN coalesce(excluded.calendar_id, t.calendar_id) IS NULL THEN 'waiting' ELSE 'pending' END,
               split_from_task_id = coalesce(t.split_from_task_id, excluded.split_from_task_id),
               split_from = CASE WHEN t.split_from = '' THEN excluded.split_from ELSE t.split_from END
         WHERE t.version < excluded.version
        RETURNING t.tenant_id, t.user_id, t.calendar_id, t.task_id
    )
    SELECT s.tenant_id, s.user_id, s.calendar_id, s.task_id FROM stored s WHERE s.calendar_id IS NOT NULL;
END $$;
