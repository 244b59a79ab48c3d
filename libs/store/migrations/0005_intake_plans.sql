-- What a batch of messages runs through, with plans that last as long as a connection: PostgreSQL plans a function in plain SQL anew at every
-- call, which cost twice as much as the rest of it. What the functions do is what 0002 says, unchanged.

CREATE OR REPLACE FUNCTION take_in_tasks(tenants text[], users text[], ids text[], versions bigint[], deletions boolean[], snapshots text[])
    RETURNS TABLE (tenant_id text, user_id text, calendar_id uuid, task_id text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH input AS (
        -- The newest version of each task in this batch; rows are locked in key order so that two batches cannot deadlock.
        SELECT DISTINCT ON (i.tenant, i.id) i.* FROM unnest(tenants, users, ids, versions, deletions, snapshots)
               AS i (tenant, usr, id, version, deletion, snapshot)
         ORDER BY i.tenant, i.id, i.version DESC
    ), placed AS (
        SELECT i.*, place_of_task(i.tenant, i.id, i.usr, coalesce(i.snapshot::jsonb ->> 'calendar', '')) AS place FROM input i
    ), stored AS (
        INSERT INTO tasks AS t (tenant_id, task_id, user_id, version, snapshot, deleted, calendar_id, state)
        SELECT p.tenant, p.id, p.usr, p.version, p.snapshot::jsonb, p.deletion, p.place, CASE WHEN p.place IS NULL THEN 'waiting' ELSE 'pending' END
          FROM placed p ORDER BY p.tenant, p.id
        ON CONFLICT (tenant_id, task_id) DO UPDATE
           SET user_id = excluded.user_id, version = excluded.version, snapshot = excluded.snapshot, deleted = excluded.deleted, received_at = now(),
               calendar_id = coalesce(excluded.calendar_id, t.calendar_id), dirty_seq = t.dirty_seq + 1, retry_at = NULL, failures = 0,
               state = CASE WHEN coalesce(excluded.calendar_id, t.calendar_id) IS NULL THEN 'waiting' ELSE 'pending' END
         WHERE t.version < excluded.version
        RETURNING t.tenant_id, t.user_id, t.calendar_id, t.task_id
    )
    SELECT s.tenant_id, s.user_id, s.calendar_id, s.task_id FROM stored s WHERE s.calendar_id IS NOT NULL;
END $$;

CREATE OR REPLACE FUNCTION take_in_hints(calendar_ids uuid[], sources text[], message_ids text[], raises boolean[], channel_ids uuid[], numbers bigint[])
    RETURNS TABLE (tenant_id text, user_id text, calendar_id uuid)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM c.calendar_id FROM calendars c
     WHERE c.calendar_id IN (SELECT i.calendar FROM unnest(calendar_ids, raises) AS i (calendar, raise) WHERE i.raise)
     ORDER BY c.tenant_id, c.calendar_id FOR NO KEY UPDATE;

    PERFORM h.channel_id FROM channels h WHERE h.channel_id = ANY (channel_ids) ORDER BY h.tenant_id, h.channel_id FOR NO KEY UPDATE;

    UPDATE channels h SET last_message_number = greatest(h.last_message_number, d.number), last_message_at = now(), verified_at = coalesce(h.verified_at, now())
      FROM (SELECT i.calendar, i.channel, max(i.number) AS number FROM unnest(calendar_ids, channel_ids, numbers) AS i (calendar, channel, number)
             WHERE i.channel IS NOT NULL GROUP BY i.calendar, i.channel) d
     WHERE h.channel_id = d.channel AND h.calendar_id = d.calendar;

    RETURN QUERY
    WITH input AS (
        SELECT c.tenant_id, i.* FROM unnest(calendar_ids, sources, message_ids, raises) AS i (calendar, source, message, raise)
          JOIN calendars c ON c.calendar_id = i.calendar
    ), fresh AS (
        INSERT INTO inbox (tenant_id, source, message_id)
        SELECT DISTINCT i.tenant_id, i.source, i.message FROM input i WHERE i.message <> '' ORDER BY 1, 2, 3
        ON CONFLICT DO NOTHING RETURNING inbox.tenant_id, inbox.source, inbox.message_id
    ), counted AS (
        SELECT i.tenant_id, i.calendar,
               count(*) FILTER (WHERE i.raise AND i.message = '') + count(DISTINCT (f.source, f.message_id)) FILTER (WHERE i.raise AND f.message_id IS NOT NULL) AS raised
          FROM input i LEFT JOIN fresh f ON (f.tenant_id, f.source, f.message_id) = (i.tenant_id, i.source, i.message)
         GROUP BY i.tenant_id, i.calendar
    ), raised AS (
        UPDATE calendars c SET dirty_seq = c.dirty_seq + n.raised,
               dirty_at = CASE WHEN c.synced_seq < c.dirty_seq THEN coalesce(c.dirty_at, now()) ELSE now() END
          FROM counted n WHERE (c.tenant_id, c.calendar_id) = (n.tenant_id, n.calendar) AND n.raised > 0
    )
    SELECT c.tenant_id, u.user_id, c.calendar_id
      FROM counted n JOIN calendars c ON (c.tenant_id, c.calendar_id) = (n.tenant_id, n.calendar)
      JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id);
END $$;
