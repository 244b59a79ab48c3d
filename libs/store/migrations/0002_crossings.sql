-- The only ways across tenants: arrays in, ids out. Owned by calbridge_definer, search_path fixed, executable by the one role that needs each.

-- webhook-ingest: what a channel id stands for.
CREATE FUNCTION ingest_channel(wanted uuid)
    RETURNS TABLE (tenant_id text, user_id text, connection_id uuid, calendar_id uuid, resource_id text, state text, expires_at timestamptz, token_hash bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.tenant_id, u.user_id, c.connection_id, c.calendar_id, c.resource_id, c.state, c.expires_at, c.token_hash
      FROM channels c JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id)
     WHERE c.channel_id = wanted AND u.status <> 'disconnected'
$$;

-- Where a user's task goes: the open link's calendar, else the calendar it names, else the default of the default connection.
-- Runs with its caller's rights, so that only a crossing can place another tenant's task.
CREATE FUNCTION place_of_task(of_tenant text, of_task text, of_user text, named_calendar text) RETURNS uuid
    LANGUAGE sql STABLE SECURITY INVOKER SET search_path = public, pg_temp AS $$
    SELECT coalesce(
        (SELECT l.calendar_id FROM task_links l WHERE l.tenant_id = of_tenant AND l.task_id = of_task AND l.state <> 'ended'),
        (SELECT c.calendar_id FROM user_calendar_connections u JOIN calendars c ON (c.tenant_id, c.connection_id) = (u.tenant_id, u.connection_id)
          WHERE u.tenant_id = of_tenant AND u.user_id = of_user AND u.status <> 'disconnected' AND named_calendar <> ''
            AND c.google_calendar_id = named_calendar AND c.missing_since IS NULL
            AND c.access_role IN ('owner', 'writer', 'writerWithoutPrivateAccess')
          ORDER BY u.is_default DESC, u.connection_id LIMIT 1),
        (SELECT u.default_calendar_id FROM user_calendar_connections u
          WHERE u.tenant_id = of_tenant AND u.user_id = of_user AND u.is_default AND u.auto_sync_tasks AND u.status <> 'disconnected'))
$$;

-- sync-worker: one batch of task-changed. An older or equal version changes nothing. Returns one row per input that was taken and has a place.
CREATE FUNCTION take_in_tasks(tenants text[], users text[], ids text[], versions bigint[], deletions boolean[], snapshots text[])
    RETURNS TABLE (tenant_id text, user_id text, calendar_id uuid, task_id text)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
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
    SELECT s.tenant_id, s.user_id, s.calendar_id, s.task_id FROM stored s WHERE s.calendar_id IS NOT NULL
$$;

-- sync-worker: one batch of calendar-changed. A message id seen before raises nothing; 'retry' only wakes. Deliveries prove their channel's health.
-- Rows are locked calendars first, then channels, then inbox, each in key order, so that two batches cannot deadlock; a batch takes its hints in
-- before its tasks, which is also the worker's order (calendar, task, link).
CREATE FUNCTION take_in_hints(calendar_ids uuid[], sources text[], message_ids text[], raises boolean[], channel_ids uuid[], numbers bigint[])
    RETURNS TABLE (tenant_id text, user_id text, calendar_id uuid)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.calendar_id FROM calendars c
     WHERE c.calendar_id IN (SELECT i.calendar FROM unnest(calendar_ids, raises) AS i (calendar, raise) WHERE i.raise)
     ORDER BY c.tenant_id, c.calendar_id FOR NO KEY UPDATE;

    SELECT h.channel_id FROM channels h WHERE h.channel_id = ANY (channel_ids) ORDER BY h.tenant_id, h.channel_id FOR NO KEY UPDATE;

    UPDATE channels h SET last_message_number = greatest(h.last_message_number, d.number), last_message_at = now(), verified_at = coalesce(h.verified_at, now())
      FROM (SELECT i.calendar, i.channel, max(i.number) AS number FROM unnest(calendar_ids, channel_ids, numbers) AS i (calendar, channel, number)
             WHERE i.channel IS NOT NULL GROUP BY i.calendar, i.channel) d
     WHERE h.channel_id = d.channel AND h.calendar_id = d.calendar;

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
      JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id)
$$;

-- Messages that could not be understood. Seen again (redelivery), the row counts up.
CREATE FUNCTION set_aside(of_tenant text, id uuid, of_source text, of_partition integer, of_offset bigint, of_subject text, of_reason text, of_detail text,
                          of_hash bytea, of_value bytea, of_headers text) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO quarantine AS q (tenant_id, quarantine_id, source, partition, "offset", subject, reason, detail, hash, value, headers)
    VALUES (of_tenant, id, of_source, of_partition, of_offset, of_subject, of_reason, of_detail, of_hash, of_value, of_headers::jsonb)
    ON CONFLICT (tenant_id, source, partition, "offset", subject, hash)
    DO UPDATE SET seen_count = q.seen_count + 1, last_seen_at = now()
$$;

-- Calendars with something to do now that nobody holds: unsynced hints or due tasks. Ids only. The calendars with pending tasks are found by
-- hopping over the index, so that a calendar with a long queue costs one step and hides nobody.
CREATE FUNCTION due_work(most integer) RETURNS TABLE (tenant_id text, user_id text, connection_id uuid, calendar_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE queued AS (
        (SELECT t.tenant_id, t.calendar_id FROM tasks t WHERE t.synced_seq < t.dirty_seq AND t.calendar_id IS NOT NULL
          ORDER BY t.tenant_id, t.calendar_id LIMIT 1)
        UNION ALL
        SELECT n.tenant_id, n.calendar_id FROM queued q CROSS JOIN LATERAL (
            SELECT t.tenant_id, t.calendar_id FROM tasks t
             WHERE t.synced_seq < t.dirty_seq AND t.calendar_id IS NOT NULL AND (t.tenant_id, t.calendar_id) > (q.tenant_id, q.calendar_id)
             ORDER BY t.tenant_id, t.calendar_id LIMIT 1) n
    ), candidates AS (
        SELECT c.tenant_id, c.calendar_id FROM calendars c WHERE c.synced_seq < c.dirty_seq AND c.selected
        UNION
        SELECT q.tenant_id, q.calendar_id FROM queued q
         WHERE EXISTS (SELECT 1 FROM tasks t WHERE (t.tenant_id, t.calendar_id) = (q.tenant_id, q.calendar_id) AND t.synced_seq < t.dirty_seq
                          AND (t.retry_at IS NULL OR t.retry_at <= now()))
    )
    SELECT c.tenant_id, u.user_id, c.connection_id, c.calendar_id
      FROM candidates k JOIN calendars c ON (c.tenant_id, c.calendar_id) = (k.tenant_id, k.calendar_id)
      JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id)
     WHERE c.lease_until < now() AND (c.retry_at IS NULL OR c.retry_at <= now()) AND c.missing_since IS NULL AND u.status = 'active'
     ORDER BY c.dirty_at NULLS FIRST LIMIT most
$$;

-- Outbox rows whose writer did not publish them in time: claimed for a minute, by status, in any order.
CREATE FUNCTION claim_outbox(most integer) RETURNS TABLE (tenant_id text, outbox_id bigint, message_id uuid, topic text, message_key text, headers jsonb, value bytea)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH due AS (
        SELECT o.tenant_id, o.outbox_id FROM outbox o WHERE o.status = 'pending' AND o.claimed_until < now()
         ORDER BY o.claimed_until, o.outbox_id LIMIT most FOR UPDATE SKIP LOCKED
    )
    UPDATE outbox o SET claimed_until = now() + interval '60 seconds' FROM due d
     WHERE (o.tenant_id, o.outbox_id) = (d.tenant_id, d.outbox_id)
    RETURNING o.tenant_id, o.outbox_id, o.message_id, o.topic, o.message_key, o.headers, o.value
$$;

CREATE FUNCTION outbox_sent(tenants text[], ids bigint[]) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE outbox o SET status = 'sent', sent_at = now() FROM unnest(tenants, ids) AS i (tenant, id)
     WHERE (o.tenant_id, o.outbox_id) = (i.tenant, i.id) AND o.status = 'pending'
$$;
