-- The calendar list is watched like a calendar; a channel's health is what it delivers; work that its worker left behind is found again.

-- A channel on a user's calendar list stands for the connection and for no calendar.
ALTER TABLE channels ALTER calendar_id DROP NOT NULL;
ALTER TABLE channels
    ADD kind text NOT NULL DEFAULT 'events' CHECK (kind IN ('events', 'calendar_list')),
    ADD CONSTRAINT channels_kind_and_calendar CHECK ((kind = 'events') = (calendar_id IS NOT NULL));
CREATE UNIQUE INDEX one_active_list_channel ON channels (tenant_id, connection_id) WHERE state = 'active' AND kind = 'calendar_list';
CREATE INDEX list_channels_of_connection ON channels (tenant_id, connection_id) WHERE state <> 'stopped' AND kind = 'calendar_list';

ALTER TABLE user_calendar_connections
    ADD list_sync_token       text,                                -- of the calendar list
    ADD list_dirty_seq        bigint NOT NULL DEFAULT 0,           -- as a calendar's dirty_seq and synced_seq: raised by pushes on the list
    ADD list_synced_seq       bigint NOT NULL DEFAULT 0,
    ADD discovery_failures    integer NOT NULL DEFAULT 0,          -- readings of the list failed in a row
    ADD list_channel_due_at   timestamptz NOT NULL DEFAULT now(),  -- as a calendar's three
    ADD list_channel_failures integer NOT NULL DEFAULT 0,
    ADD list_pushable         boolean NOT NULL DEFAULT true,
    ADD revoke_due_at         timestamptz,                         -- ended, and Google may not know yet: when to try again
    ADD revoke_since          timestamptz;
CREATE INDEX connections_list_dirty ON user_calendar_connections (discovery_claimed_until)
    WHERE status = 'active' AND list_synced_seq < list_dirty_seq;
CREATE INDEX connections_list_channel_due ON user_calendar_connections (list_channel_due_at)
    WHERE status IN ('active', 'paused')
      AND granted_scopes && ARRAY['https://www.googleapis.com/auth/calendar', 'https://www.googleapis.com/auth/calendar.readonly',
                                  'https://www.googleapis.com/auth/calendar.calendarlist', 'https://www.googleapis.com/auth/calendar.calendarlist.readonly'];
CREATE INDEX connections_to_revoke ON user_calendar_connections (revoke_due_at) WHERE revoke_due_at IS NOT NULL;

ALTER TABLE calendars
    ADD missing_reason text NOT NULL DEFAULT '',       -- 'hidden', 'deleted' (unsubscribed or unshared), 'not_listed'
    ADD probe_at       timestamptz,                    -- the poll that, when it finds changes nobody announced, speaks against the channel
    ADD push_misses    integer NOT NULL DEFAULT 0,     -- such polls in a row; two make the channel degraded
    ADD empty_polls    integer NOT NULL DEFAULT 0;     -- polls in a row that found nothing

-- What a channel id stands for; the nil calendar is the calendar list.
CREATE OR REPLACE FUNCTION ingest_channel(wanted uuid)
    RETURNS TABLE (tenant_id text, user_id text, connection_id uuid, calendar_id uuid, resource_id text, state text, expires_at timestamptz, token_hash bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.tenant_id, u.user_id, c.connection_id, coalesce(c.calendar_id, '00000000-0000-0000-0000-000000000000'), c.resource_id, c.state, c.expires_at,
           c.token_hash
      FROM channels c JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id)
     WHERE c.channel_id = wanted AND u.status <> 'disconnected'
$$;

-- Where a task's event belongs. An occurrence is where its series is; a default calendar that is not there takes no new tasks.
CREATE OR REPLACE FUNCTION place_of_task(of_tenant text, of_task text, of_user text, named_calendar text) RETURNS uuid
    LANGUAGE sql STABLE SECURITY INVOKER SET search_path = public, pg_temp AS $$
    SELECT CASE WHEN strpos(of_task, '/') > 0 THEN
        (SELECT l.calendar_id FROM task_links l WHERE l.tenant_id = of_tenant AND l.task_id = split_part(of_task, '/', 1) AND l.state <> 'ended')
    ELSE coalesce(
        (SELECT l.calendar_id FROM task_links l WHERE l.tenant_id = of_tenant AND l.task_id = of_task AND l.state <> 'ended'),
        (SELECT c.calendar_id FROM user_calendar_connections u JOIN calendars c ON (c.tenant_id, c.connection_id) = (u.tenant_id, u.connection_id)
          WHERE u.tenant_id = of_tenant AND u.user_id = of_user AND u.status <> 'disconnected' AND named_calendar <> ''
            AND c.google_calendar_id = named_calendar AND c.missing_since IS NULL
            AND c.access_role IN ('owner', 'writer', 'writerWithoutPrivateAccess')
          ORDER BY u.is_default DESC, u.connection_id LIMIT 1),
        (SELECT u.default_calendar_id FROM user_calendar_connections u
           JOIN calendars c ON (c.tenant_id, c.calendar_id) = (u.tenant_id, u.default_calendar_id)
          WHERE u.tenant_id = of_tenant AND u.user_id = of_user AND u.is_default AND u.auto_sync_tasks AND u.status <> 'disconnected'
            AND c.missing_since IS NULL))
    END
$$;

-- As before, and: a push counts only for the channel it names, while that channel is not stopped (ingest may have believed it on its token alone);
-- a push on a calendar list (nil calendar) makes the list due. Locks: calendars, connections, channels, inbox, each in key order.
CREATE OR REPLACE FUNCTION take_in_hints(calendar_ids uuid[], sources text[], message_ids text[], raises boolean[], channel_ids uuid[], numbers bigint[])
    RETURNS TABLE (tenant_id text, user_id text, calendar_id uuid)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    no_calendar CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
    of_lists boolean := no_calendar = ANY (calendar_ids);
BEGIN
    PERFORM c.calendar_id FROM calendars c
     WHERE c.calendar_id IN (SELECT i.calendar FROM unnest(calendar_ids, raises) AS i (calendar, raise) WHERE i.raise)
     ORDER BY c.tenant_id, c.calendar_id FOR NO KEY UPDATE;

    IF of_lists THEN
        PERFORM u.connection_id FROM user_calendar_connections u
         WHERE (u.tenant_id, u.connection_id) IN (SELECT h.tenant_id, h.connection_id FROM channels h
                                                   WHERE h.channel_id = ANY (channel_ids) AND h.kind = 'calendar_list')
         ORDER BY u.tenant_id, u.connection_id FOR NO KEY UPDATE;
    END IF;

    PERFORM h.channel_id FROM channels h WHERE h.channel_id = ANY (channel_ids) ORDER BY h.tenant_id, h.channel_id FOR NO KEY UPDATE;

    UPDATE channels h SET last_message_number = greatest(h.last_message_number, d.number), last_message_at = now(), verified_at = coalesce(h.verified_at, now())
      FROM (SELECT i.calendar, i.channel, max(i.number) AS number FROM unnest(calendar_ids, channel_ids, numbers) AS i (calendar, channel, number)
             WHERE i.channel IS NOT NULL GROUP BY i.calendar, i.channel) d
     WHERE h.channel_id = d.channel AND coalesce(h.calendar_id, no_calendar) = d.calendar;

    IF of_lists THEN
        WITH input AS (
            SELECT DISTINCT h.tenant_id, h.connection_id, i.source, i.message
              FROM unnest(calendar_ids, sources, message_ids, raises, channel_ids) AS i (calendar, source, message, raise, channel)
              JOIN channels h ON h.channel_id = i.channel
             WHERE i.calendar = no_calendar AND i.raise AND h.kind = 'calendar_list' AND h.state <> 'stopped'
        ), fresh AS (
            INSERT INTO inbox (tenant_id, source, message_id)
            SELECT DISTINCT i.tenant_id, i.source, i.message FROM input i WHERE i.message <> '' ORDER BY 1, 2, 3
            ON CONFLICT DO NOTHING RETURNING inbox.tenant_id, inbox.source, inbox.message_id
        )
        UPDATE user_calendar_connections u SET list_dirty_seq = u.list_dirty_seq + 1
         WHERE (u.tenant_id, u.connection_id) IN (
            SELECT i.tenant_id, i.connection_id FROM input i LEFT JOIN fresh f ON (f.tenant_id, f.source, f.message_id) = (i.tenant_id, i.source, i.message)
             WHERE i.message = '' OR f.message_id IS NOT NULL);
    END IF;

    RETURN QUERY
    WITH input AS (
        SELECT c.tenant_id, i.calendar, i.source, i.message,
               i.raise AND (i.channel IS NULL OR EXISTS (SELECT 1 FROM channels h WHERE h.channel_id = i.channel AND h.calendar_id = i.calendar
                                                            AND h.tenant_id = c.tenant_id AND h.state <> 'stopped')) AS raise
          FROM unnest(calendar_ids, sources, message_ids, raises, channel_ids) AS i (calendar, source, message, raise, channel)
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

-- Channels to open, replace or stop; the nil calendar is the connection's calendar list, which only some scopes may watch. A claim lasts `life`.
CREATE OR REPLACE FUNCTION claim_channel_duties(most integer, life_ms bigint)
    RETURNS TABLE (what text, tenant_id text, user_id text, connection_id uuid, calendar_id uuid, google_calendar_id text, mode text, connection_status text,
                   channel_id uuid, resource_id text, state text, expires_at timestamptz, renew_at timestamptz, verified_at timestamptz,
                   created_at timestamptz, failures integer)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH wanting AS (
        SELECT c.tenant_id, c.calendar_id, u.user_id, u.mode, u.status FROM calendars c
          JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id)
         WHERE c.channel_due_at <= now() AND c.selected AND c.missing_since IS NULL AND u.status IN ('active', 'paused')
         ORDER BY c.channel_due_at LIMIT most FOR NO KEY UPDATE OF c SKIP LOCKED
    ), claimed AS (
        UPDATE calendars c SET channel_due_at = now() + life_ms * interval '1 millisecond' FROM wanting w
         WHERE (c.tenant_id, c.calendar_id) = (w.tenant_id, w.calendar_id)
        RETURNING c.tenant_id, c.calendar_id, c.connection_id, c.google_calendar_id, c.channel_failures, w.user_id, w.mode, w.status
    ), listing AS (
        SELECT u.tenant_id, u.connection_id FROM user_calendar_connections u
         WHERE u.list_channel_due_at <= now() AND u.status IN ('active', 'paused')
           AND u.granted_scopes && ARRAY['https://www.googleapis.com/auth/calendar', 'https://www.googleapis.com/auth/calendar.readonly',
                                         'https://www.googleapis.com/auth/calendar.calendarlist', 'https://www.googleapis.com/auth/calendar.calendarlist.readonly']
         ORDER BY u.list_channel_due_at LIMIT most FOR NO KEY UPDATE SKIP LOCKED
    ), listed AS (
        UPDATE user_calendar_connections u SET list_channel_due_at = now() + life_ms * interval '1 millisecond' FROM listing w
         WHERE (u.tenant_id, u.connection_id) = (w.tenant_id, w.connection_id)
        RETURNING u.tenant_id, u.connection_id, u.user_id, u.mode, u.status, u.list_channel_failures
    ), leaving AS (
        -- A superseded channel may go once its successor has delivered, or after an hour.
        SELECT h.tenant_id, h.channel_id, u.user_id, u.mode, u.status, coalesce(c.google_calendar_id, '') AS google_calendar_id,
               coalesce(c.channel_failures, u.list_channel_failures) AS failures
          FROM channels h
          JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (h.tenant_id, h.connection_id)
          LEFT JOIN calendars c ON (c.tenant_id, c.calendar_id) = (h.tenant_id, h.calendar_id)
         -- Those of an ended connection are stopped with its last token, by whoever takes leave of Google for it.
         WHERE h.state = 'superseded' AND h.claimed_until < now() AND NOT (u.status = 'disconnected' AND u.data_key IS NOT NULL)
           AND (h.superseded_at <= now() - interval '1 hour' OR h.expires_at <= now()
                OR CASE h.kind WHEN 'events' THEN EXISTS (
                        SELECT 1 FROM channels n WHERE (n.tenant_id, n.calendar_id) = (h.tenant_id, h.calendar_id) AND n.state = 'active' AND n.verified_at IS NOT NULL)
                   ELSE EXISTS (
                        SELECT 1 FROM channels n WHERE (n.tenant_id, n.connection_id) = (h.tenant_id, h.connection_id) AND n.kind = 'calendar_list'
                           AND n.state = 'active' AND n.verified_at IS NOT NULL) END)
         ORDER BY h.claimed_until LIMIT most FOR NO KEY UPDATE OF h SKIP LOCKED
    ), stopping AS (
        UPDATE channels h SET claimed_until = now() + life_ms * interval '1 millisecond' FROM leaving l
         WHERE (h.tenant_id, h.channel_id) = (l.tenant_id, l.channel_id)
        RETURNING h.tenant_id, h.channel_id, h.connection_id, h.calendar_id, h.resource_id, h.state, h.expires_at, h.renew_at, h.verified_at, h.created_at,
                  l.user_id, l.mode, l.status, l.google_calendar_id, l.failures
    )
    SELECT CASE WHEN h.channel_id IS NULL THEN 'open' ELSE 'renew' END, k.tenant_id, k.user_id, k.connection_id, k.calendar_id, k.google_calendar_id, k.mode, k.status,
           h.channel_id, h.resource_id, h.state, h.expires_at, h.renew_at, h.verified_at, h.created_at, k.channel_failures
      FROM claimed k LEFT JOIN channels h ON (h.tenant_id, h.calendar_id) = (k.tenant_id, k.calendar_id) AND h.state = 'active'
    UNION ALL
    SELECT CASE WHEN h.channel_id IS NULL THEN 'open' ELSE 'renew' END, k.tenant_id, k.user_id, k.connection_id, '00000000-0000-0000-0000-000000000000', '', k.mode,
           k.status, h.channel_id, h.resource_id, h.state, h.expires_at, h.renew_at, h.verified_at, h.created_at, k.list_channel_failures
      FROM listed k LEFT JOIN channels h ON (h.tenant_id, h.connection_id) = (k.tenant_id, k.connection_id) AND h.kind = 'calendar_list' AND h.state = 'active'
    UNION ALL
    SELECT 'stop', s.tenant_id, s.user_id, s.connection_id, coalesce(s.calendar_id, '00000000-0000-0000-0000-000000000000'), s.google_calendar_id, s.mode, s.status,
           s.channel_id, s.resource_id, s.state, s.expires_at, s.renew_at, s.verified_at, s.created_at, s.failures
      FROM stopping s
$$;

-- Calendars whose turn to be polled has come: their dirty counter is raised here, so the wake-up that follows carries no work and may be lost.
-- A calendar is polled quickly after a change and ever more slowly while polls find nothing; slowest is the idle wait, or four quick ones while a
-- channel it could have is missing, unproven, failing or silent. `random` in [0, 1) shifts every row's wait by up to a quarter either way.
-- A poll of a calendar nobody announced anything for is a probe: if it finds changes, and no push came since, the channel missed them.
-- Two misses in a row make the channel degraded and due for replacement, and so does every second one after that.
DROP FUNCTION claim_polls(integer, bigint, bigint, double precision);
CREATE FUNCTION claim_polls(most integer, active_ms bigint, idle_ms bigint, random double precision)
    RETURNS TABLE (tenant_id text, user_id text, calendar_id uuid, connection_id uuid, degraded boolean, misses_before integer, misses integer)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH due AS (
        SELECT c.tenant_id, c.calendar_id, u.user_id, u.connection_id
          FROM calendars c JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id)
         WHERE c.next_poll_at <= now() AND c.selected AND c.missing_since IS NULL AND u.status = 'active'
         ORDER BY c.next_poll_at LIMIT most FOR NO KEY UPDATE OF c SKIP LOCKED
    ), seen AS (
        SELECT d.*, c.push_misses AS misses_before, coalesce(h.proven, false) AS proven,
               CASE WHEN h.announced_at >= coalesce(c.probe_at, c.last_polled_at) THEN 0
                    WHEN c.last_changed_at > c.probe_at AND h.opened_at < c.probe_at AND coalesce(h.heard_at < c.probe_at, true) THEN c.push_misses + 1
                    ELSE c.push_misses END AS misses,
               CASE WHEN c.last_polled_at IS NULL OR c.last_changed_at > c.last_polled_at THEN 0 ELSE least(c.empty_polls + 1, 20) END AS empties
          FROM due d JOIN calendars c ON (c.tenant_id, c.calendar_id) = (d.tenant_id, d.calendar_id)
          CROSS JOIN LATERAL (
            SELECT bool_or(n.state = 'active' AND n.verified_at IS NOT NULL AND n.expires_at > now()) AS proven,
                   min(n.created_at) FILTER (WHERE n.state = 'active') AS opened_at, max(n.last_message_at) AS heard_at,
                   -- The first message says only that the channel exists.
                   max(n.last_message_at) FILTER (WHERE n.last_message_number > 1) AS announced_at
              FROM channels n WHERE (n.tenant_id, n.calendar_id) = (c.tenant_id, c.calendar_id) AND n.state <> 'stopped') h
    ), judged AS (
        SELECT s.*, NOT s.proven OR s.misses >= 2 OR c.channel_failures >= 3 AS poor, c.pushable,
               CASE WHEN c.last_changed_at > now() - greatest(idle_ms, active_ms) * interval '1 millisecond' OR NOT s.proven OR s.misses >= 2 OR c.channel_failures >= 3
                    THEN active_ms * power(2, s.empties) ELSE greatest(idle_ms, active_ms) END AS wait,
               0.75 + 0.5 * ((random + row_number() OVER () * 0.6180339887498949) - floor(random + row_number() OVER () * 0.6180339887498949)) AS factor
          FROM seen s JOIN calendars c ON (c.tenant_id, c.calendar_id) = (s.tenant_id, s.calendar_id)
    ), moved AS (
        UPDATE calendars c
           SET next_poll_at = now() + j.factor * interval '1 millisecond'
                   * least(j.wait, greatest(idle_ms, active_ms), CASE WHEN j.poor AND j.pushable THEN 4 * active_ms END),
               last_polled_at = now(), push_misses = j.misses, empty_polls = j.empties,
               probe_at = CASE WHEN c.synced_seq >= c.dirty_seq AND c.sync_token IS NOT NULL THEN now() END,
               channel_due_at = CASE WHEN j.misses > j.misses_before AND j.misses % 2 = 0 THEN least(c.channel_due_at, now()) ELSE c.channel_due_at END,
               dirty_seq = c.dirty_seq + 1,
               dirty_at = CASE WHEN c.synced_seq < c.dirty_seq THEN coalesce(c.dirty_at, now()) ELSE now() END
          FROM judged j WHERE (c.tenant_id, c.calendar_id) = (j.tenant_id, j.calendar_id)
        RETURNING c.tenant_id, j.user_id, c.calendar_id, j.connection_id, j.poor, j.misses_before, j.misses
    )
    SELECT m.tenant_id, m.user_id, m.calendar_id, m.connection_id, m.poor, m.misses_before, m.misses FROM moved m
$$;

-- Calendar lists to read: never read or not for a day (in full), or announced by a push (what changed). A claim lasts a minute.
DROP FUNCTION claim_stale_discoveries(integer);
CREATE FUNCTION claim_discoveries(most integer) RETURNS TABLE (tenant_id text, connection_id uuid, whole boolean, failures integer)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH candidates AS (
        (SELECT u.tenant_id, u.connection_id FROM user_calendar_connections u
          WHERE u.status = 'active' AND u.list_synced_seq < u.list_dirty_seq AND u.discovery_claimed_until < now()
          ORDER BY u.discovery_claimed_until LIMIT most)
        UNION
        (SELECT u.tenant_id, u.connection_id FROM user_calendar_connections u
          WHERE u.status = 'active' AND (u.calendars_read_at IS NULL OR u.calendars_read_at < now() - interval '1 day') AND u.discovery_claimed_until < now()
          ORDER BY u.calendars_read_at NULLS FIRST LIMIT most)
    ), due AS (
        SELECT u.tenant_id, u.connection_id FROM user_calendar_connections u JOIN candidates k ON (k.tenant_id, k.connection_id) = (u.tenant_id, u.connection_id)
         WHERE u.status = 'active' AND u.discovery_claimed_until < now()
         ORDER BY u.discovery_claimed_until LIMIT most FOR NO KEY UPDATE OF u SKIP LOCKED
    )
    UPDATE user_calendar_connections u SET discovery_claimed_until = now() + interval '1 minute' FROM due d
     WHERE (u.tenant_id, u.connection_id) = (d.tenant_id, d.connection_id)
    RETURNING u.tenant_id, u.connection_id, u.calendars_read_at IS NULL OR u.calendars_read_at < now() - interval '1 day', u.discovery_failures
$$;

-- Tasks that wait although there is a place for them now. What has none yet hides nobody who has.
CREATE OR REPLACE FUNCTION place_waiting_tasks(most integer) RETURNS TABLE (tenant_id text, user_id text, calendar_id uuid)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH waiting AS (
        SELECT t.tenant_id, t.task_id, p.place
          FROM user_calendar_connections u JOIN tasks t ON (t.tenant_id, t.user_id) = (u.tenant_id, u.user_id)
         CROSS JOIN LATERAL (SELECT place_of_task(t.tenant_id, t.task_id, t.user_id, coalesce(t.snapshot ->> 'calendar', '')) AS place) p
         WHERE u.status = 'active' AND u.is_default AND u.auto_sync_tasks AND u.default_calendar_id IS NOT NULL AND t.calendar_id IS NULL AND p.place IS NOT NULL
         ORDER BY t.tenant_id, t.task_id LIMIT most FOR NO KEY UPDATE OF t SKIP LOCKED
    ), placed AS (
        UPDATE tasks t SET calendar_id = w.place, dirty_seq = t.dirty_seq + 1, state = 'pending', retry_at = NULL, failures = 0 FROM waiting w
         WHERE (t.tenant_id, t.task_id) = (w.tenant_id, w.task_id)
        RETURNING t.tenant_id, t.user_id, t.calendar_id
    )
    SELECT DISTINCT p.tenant_id, p.user_id, p.calendar_id FROM placed p
$$;

-- Connections that were ended while Google was away: their channels still deliver and their grant still lives. A claim lasts `life`.
CREATE FUNCTION claim_departures(most integer, life_ms bigint) RETURNS TABLE (tenant_id text, connection_id uuid, since timestamptz)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH due AS (
        SELECT u.tenant_id, u.connection_id FROM user_calendar_connections u WHERE u.revoke_due_at <= now() AND u.status = 'disconnected'
         ORDER BY u.revoke_due_at LIMIT most FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE user_calendar_connections u SET revoke_due_at = now() + life_ms * interval '1 millisecond' FROM due d
     WHERE (u.tenant_id, u.connection_id) = (d.tenant_id, d.connection_id)
    RETURNING u.tenant_id, u.connection_id, coalesce(u.revoke_since, now())
$$;

-- Work that something dead left behind for longer than `age`, put right; one row each, with the calendar to wake if there is one.
--   lease      a worker took the calendar and never gave it back: it is free again, and what the dead may still write is refused
--   task       it waits for a calendar although it has one by any of its user's connections
--   operation  a write to Google whose answer nobody recorded and nobody is after: its task is looked at again, or it is given up with its link
--   message    an outbox row still not published: offered to the next sweep at once
CREATE FUNCTION put_right_orphans(most integer, age_ms bigint) RETURNS TABLE (what text, tenant_id text, user_id text, calendar_id uuid)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE long_ago timestamptz := now() - age_ms * interval '1 millisecond';
BEGIN
    RETURN QUERY
    WITH dead AS (
        SELECT c.tenant_id, c.calendar_id FROM calendars c WHERE c.lease_owner IS NOT NULL AND c.lease_until < long_ago
         ORDER BY c.tenant_id, c.calendar_id LIMIT most FOR NO KEY UPDATE SKIP LOCKED
    ), freed AS (
        UPDATE calendars c SET lease_owner = NULL, lease_until = '-infinity', lease_epoch = c.lease_epoch + 1 FROM dead d
         WHERE (c.tenant_id, c.calendar_id) = (d.tenant_id, d.calendar_id)
        RETURNING c.tenant_id, c.connection_id, c.calendar_id
    )
    SELECT 'lease', f.tenant_id, u.user_id, f.calendar_id
      FROM freed f JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (f.tenant_id, f.connection_id);

    RETURN QUERY
    WITH waiting AS (
        SELECT t.tenant_id, t.task_id, p.place FROM tasks t
         CROSS JOIN LATERAL (SELECT place_of_task(t.tenant_id, t.task_id, t.user_id, coalesce(t.snapshot ->> 'calendar', '')) AS place) p
         WHERE t.calendar_id IS NULL AND t.received_at < long_ago AND p.place IS NOT NULL
           AND EXISTS (SELECT 1 FROM user_calendar_connections u WHERE (u.tenant_id, u.user_id) = (t.tenant_id, t.user_id) AND u.status = 'active')
         ORDER BY t.tenant_id, t.task_id LIMIT most FOR NO KEY UPDATE OF t SKIP LOCKED
    ), placed AS (
        UPDATE tasks t SET calendar_id = w.place, dirty_seq = t.dirty_seq + 1, state = 'pending', retry_at = NULL, failures = 0 FROM waiting w
         WHERE (t.tenant_id, t.task_id) = (w.tenant_id, w.task_id)
        RETURNING t.tenant_id, t.user_id, t.calendar_id
    )
    SELECT 'task', p.tenant_id, p.user_id, p.calendar_id FROM placed p;

    RETURN QUERY
    WITH left_over AS (
        SELECT DISTINCT t.tenant_id, t.task_id FROM operations o
          JOIN task_links l ON (l.tenant_id, l.link_id) = (o.tenant_id, o.link_id) AND l.state <> 'ended'
          JOIN tasks t ON (t.tenant_id, t.task_id) = (l.tenant_id, l.task_id)
          JOIN calendars c ON (c.tenant_id, c.calendar_id) = (t.tenant_id, t.calendar_id) AND c.missing_since IS NULL
          JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id) AND u.status = 'active'
         WHERE o.state = 'pending' AND o.created_at < long_ago AND t.synced_seq >= t.dirty_seq
         ORDER BY 1, 2 LIMIT most
    ), held AS (
        SELECT t.tenant_id, t.task_id FROM tasks t JOIN left_over x ON (x.tenant_id, x.task_id) = (t.tenant_id, t.task_id)
         WHERE t.synced_seq >= t.dirty_seq ORDER BY t.tenant_id, t.task_id FOR NO KEY UPDATE OF t SKIP LOCKED
    ), opened AS (
        UPDATE tasks t SET dirty_seq = t.dirty_seq + 1, retry_at = NULL FROM held x WHERE (t.tenant_id, t.task_id) = (x.tenant_id, x.task_id)
        RETURNING t.tenant_id, t.user_id, t.calendar_id
    )
    SELECT 'operation', d.tenant_id, d.user_id, d.calendar_id FROM opened d;

    RETURN QUERY
    WITH ended AS (
        SELECT o.tenant_id, o.operation_id FROM operations o JOIN task_links l ON (l.tenant_id, l.link_id) = (o.tenant_id, o.link_id)
         WHERE o.state = 'pending' AND o.created_at < long_ago AND l.state = 'ended' AND l.ended_at < long_ago
         ORDER BY 1, 2 LIMIT most FOR NO KEY UPDATE OF o SKIP LOCKED
    ), given_up AS (
        UPDATE operations o SET state = 'abandoned', finished_at = now(), answer_reason = 'link_ended' FROM ended e
         WHERE (o.tenant_id, o.operation_id) = (e.tenant_id, e.operation_id) RETURNING o.tenant_id
    )
    SELECT 'operation', g.tenant_id, ''::text, NULL::uuid FROM given_up g;

    RETURN QUERY
    WITH stuck AS (
        SELECT o.tenant_id, o.outbox_id FROM outbox o WHERE o.status = 'pending' AND o.created_at < long_ago
         ORDER BY o.claimed_until LIMIT most FOR NO KEY UPDATE SKIP LOCKED
    ), offered AS (
        UPDATE outbox o SET claimed_until = '-infinity' FROM stuck s WHERE (o.tenant_id, o.outbox_id) = (s.tenant_id, s.outbox_id) RETURNING o.tenant_id
    )
    SELECT 'message', f.tenant_id, ''::text, NULL::uuid FROM offered f;
END $$;
CREATE INDEX calendars_leased ON calendars (lease_until) WHERE lease_owner IS NOT NULL;

-- Tenants whose messages do not get out, and those for whom that is over but not told yet.
CREATE FUNCTION stuck_outboxes(age_ms bigint) RETURNS TABLE (tenant_id text, messages bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH stuck AS (
        SELECT o.tenant_id, count(*) AS messages FROM outbox o
         WHERE o.status = 'pending' AND o.created_at < now() - age_ms * interval '1 millisecond' GROUP BY o.tenant_id
    )
    SELECT coalesce(s.tenant_id, a.tenant_id), coalesce(s.messages, 0)
      FROM stuck s FULL JOIN (SELECT x.tenant_id FROM alerts x WHERE x.kind = 'outbox_stuck' AND x.resolved_at IS NULL) a ON a.tenant_id = s.tenant_id
$$;

-- Whoever holds a calendar's lease works with the connection as it was when the lease was taken: a change of what it works by takes the lease away.
CREATE FUNCTION fence_settings() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE calendars c SET lease_epoch = c.lease_epoch + 1, lease_owner = NULL, lease_until = '-infinity'
     WHERE (c.tenant_id, c.connection_id) = (NEW.tenant_id, NEW.connection_id) AND c.lease_owner IS NOT NULL;
    IF OLD.granted_scopes IS DISTINCT FROM NEW.granted_scopes THEN
        -- What was refused for want of a scope is tried again.
        UPDATE calendars c SET channel_due_at = now()
         WHERE (c.tenant_id, c.connection_id) = (NEW.tenant_id, NEW.connection_id) AND NOT c.pushable AND NEW.status IN ('active', 'paused');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER fenced_when_settings_change AFTER UPDATE ON user_calendar_connections FOR EACH ROW
    WHEN ((OLD.mode, OLD.conflict_policy, OLD.delete_choice, OLD.import_external_events, OLD.auto_sync_tasks, OLD.sync_settings, OLD.task_type_colors,
           OLD.default_calendar_id, OLD.connected_email, OLD.granted_scopes)
          IS DISTINCT FROM
          (NEW.mode, NEW.conflict_policy, NEW.delete_choice, NEW.import_external_events, NEW.auto_sync_tasks, NEW.sync_settings, NEW.task_type_colors,
           NEW.default_calendar_id, NEW.connected_email, NEW.granted_scopes))
    EXECUTE FUNCTION fence_settings();

-- As before, and: who comes to be watched (again) is read in full, because nobody vouches for what happened meanwhile, and whoever works on the
-- calendar loses the lease, because it works by a choice that no longer holds.
CREATE OR REPLACE FUNCTION follow_calendar() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.selected AND NEW.missing_since IS NULL THEN
        NEW.channel_due_at := now();
        NEW.next_poll_at := now();
        NEW.sync_token := NULL;
        NEW.sync_fingerprint := '';
        NEW.pass_page_token := NULL;
        NEW.pass_dirty_seq := NULL;
        NEW.dirty_seq := greatest(NEW.dirty_seq, OLD.dirty_seq + 1);
        NEW.dirty_at := coalesce(NEW.dirty_at, now());
        NEW.retry_at := NULL;
        NEW.failures := 0;
        NEW.probe_at := NULL;
        NEW.push_misses := 0;
        NEW.empty_polls := 0;
    ELSE
        UPDATE channels h SET state = 'superseded', superseded_at = now() - interval '1 hour'
         WHERE (h.tenant_id, h.calendar_id) = (NEW.tenant_id, NEW.calendar_id) AND h.state IN ('pending', 'active');
    END IF;
    NEW.lease_epoch := OLD.lease_epoch + 1;
    NEW.lease_owner := NULL;
    NEW.lease_until := '-infinity';
    RETURN NEW;
END $$;

-- A connection whose scopes changed, or that is back, may be able to watch its calendar list now; its list is read in full. One that is ended leaves
-- something to do at Google: whoever ends it does it at once, and if that fails or dies, the clock does.
CREATE FUNCTION follow_consent() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.status IN ('active', 'paused') AND (OLD.granted_scopes IS DISTINCT FROM NEW.granted_scopes OR OLD.status IN ('revoked', 'disconnected')) THEN
        NEW.list_channel_due_at := now();
        NEW.list_sync_token := NULL;
    END IF;
    IF NEW.status <> 'disconnected' THEN
        NEW.revoke_due_at := NULL;
        NEW.revoke_since := NULL;
    ELSIF OLD.status <> 'disconnected' AND NEW.data_key IS NOT NULL THEN
        NEW.revoke_due_at := now() + interval '1 minute';
        NEW.revoke_since := now();
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER followed_by_list_and_leave BEFORE UPDATE ON user_calendar_connections FOR EACH ROW
    WHEN (OLD.granted_scopes IS DISTINCT FROM NEW.granted_scopes OR OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION follow_consent();

GRANT SELECT ON alerts TO calbridge_definer;
GRANT SELECT (reason) ON tasks TO calbridge_renewer;
GRANT CREATE ON SCHEMA public TO calbridge_definer;
DO $$
DECLARE f text;
BEGIN
    FOREACH f IN ARRAY ARRAY['claim_polls(integer, bigint, bigint, double precision)', 'claim_discoveries(integer)', 'claim_departures(integer, bigint)',
                             'put_right_orphans(integer, bigint)', 'stuck_outboxes(bigint)', 'fence_settings()', 'follow_consent()'] LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
        EXECUTE format('ALTER FUNCTION %s OWNER TO calbridge_definer', f);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM calbridge_definer;
GRANT EXECUTE ON FUNCTION claim_polls(integer, bigint, bigint, double precision), claim_discoveries(integer), claim_departures(integer, bigint),
    put_right_orphans(integer, bigint), stuck_outboxes(bigint) TO calbridge_renewer;
