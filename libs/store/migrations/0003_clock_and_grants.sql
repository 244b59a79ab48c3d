-- What channel-renewer claims and sweeps across tenants, cache invalidation for webhook-ingest, and who may do what.

-- Channels to open, replace or stop. A claim on the calendar (open, renew) or on the channel (stop) lasts `life`.
CREATE FUNCTION claim_channel_duties(most integer, life_ms bigint)
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
    ), leaving AS (
        -- A superseded channel may go once its successor has delivered, or after an hour.
        SELECT h.tenant_id, h.channel_id, u.user_id, u.mode, u.status, c.google_calendar_id, c.channel_failures FROM channels h
          JOIN calendars c ON (c.tenant_id, c.calendar_id) = (h.tenant_id, h.calendar_id)
          JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (h.tenant_id, h.connection_id)
         WHERE h.state = 'superseded' AND h.claimed_until < now()
           AND (h.superseded_at <= now() - interval '1 hour' OR h.expires_at <= now()
                OR EXISTS (SELECT 1 FROM channels n WHERE (n.tenant_id, n.calendar_id) = (h.tenant_id, h.calendar_id)
                              AND n.state = 'active' AND n.verified_at IS NOT NULL))
         ORDER BY h.claimed_until LIMIT most FOR NO KEY UPDATE OF h SKIP LOCKED
    ), stopping AS (
        UPDATE channels h SET claimed_until = now() + life_ms * interval '1 millisecond' FROM leaving l
         WHERE (h.tenant_id, h.channel_id) = (l.tenant_id, l.channel_id)
        RETURNING h.tenant_id, h.channel_id, h.connection_id, h.calendar_id, h.resource_id, h.state, h.expires_at, h.renew_at, h.verified_at, h.created_at,
                  l.user_id, l.mode, l.status, l.google_calendar_id, l.channel_failures
    )
    SELECT CASE WHEN h.channel_id IS NULL THEN 'open' ELSE 'renew' END, k.tenant_id, k.user_id, k.connection_id, k.calendar_id, k.google_calendar_id, k.mode, k.status,
           h.channel_id, h.resource_id, h.state, h.expires_at, h.renew_at, h.verified_at, h.created_at, k.channel_failures
      FROM claimed k LEFT JOIN channels h ON (h.tenant_id, h.calendar_id) = (k.tenant_id, k.calendar_id) AND h.state = 'active'
    UNION ALL
    SELECT 'stop', s.tenant_id, s.user_id, s.connection_id, s.calendar_id, s.google_calendar_id, s.mode, s.status,
           s.channel_id, s.resource_id, s.state, s.expires_at, s.renew_at, s.verified_at, s.created_at, s.channel_failures
      FROM stopping s
$$;

-- Calendars whose turn to be polled has come: their dirty counter is raised here, so the wake-up that follows carries no work and may be lost.
-- `random` in [0, 1) shifts every row's wait by up to a quarter either way.
CREATE FUNCTION claim_polls(most integer, active_ms bigint, idle_ms bigint, random double precision)
    RETURNS TABLE (tenant_id text, user_id text, calendar_id uuid, connection_id uuid, degraded boolean)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH due AS (
        SELECT c.tenant_id, c.calendar_id, u.user_id, u.connection_id,
               NOT EXISTS (SELECT 1 FROM channels h WHERE (h.tenant_id, h.calendar_id) = (c.tenant_id, c.calendar_id)
                              AND h.state = 'active' AND h.verified_at IS NOT NULL AND h.expires_at > now()) AS degraded
          FROM calendars c JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id)
         WHERE c.next_poll_at <= now() AND c.selected AND c.missing_since IS NULL AND u.status = 'active'
         ORDER BY c.next_poll_at LIMIT most FOR NO KEY UPDATE OF c SKIP LOCKED
    ), spread AS (
        SELECT d.*, 0.75 + 0.5 * ((random + row_number() OVER () * 0.6180339887498949) - floor(random + row_number() OVER () * 0.6180339887498949)) AS factor
          FROM due d
    ), moved AS (
        UPDATE calendars c
           SET next_poll_at = now() + s.factor * interval '1 millisecond' * CASE
                   WHEN s.degraded OR c.last_changed_at > now() - greatest(idle_ms, active_ms) * interval '1 millisecond' THEN active_ms ELSE idle_ms END,
               last_polled_at = now(), dirty_seq = c.dirty_seq + 1,
               dirty_at = CASE WHEN c.synced_seq < c.dirty_seq THEN coalesce(c.dirty_at, now()) ELSE now() END
          FROM spread s WHERE (c.tenant_id, c.calendar_id) = (s.tenant_id, s.calendar_id)
        RETURNING c.tenant_id, s.user_id, c.calendar_id, s.connection_id, s.degraded
    )
    SELECT m.tenant_id, m.user_id, m.calendar_id, m.connection_id, m.degraded FROM moved m
$$;

-- Work overdue for longer than `grace`: its wake-up was lost, or its worker died. Each calendar is named at most once in that time.
CREATE FUNCTION overdue_work(most integer, grace_ms bigint) RETURNS TABLE (tenant_id text, user_id text, connection_id uuid, calendar_id uuid)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE queued AS (
        (SELECT t.tenant_id, t.calendar_id FROM tasks t WHERE t.synced_seq < t.dirty_seq AND t.calendar_id IS NOT NULL
          ORDER BY t.tenant_id, t.calendar_id LIMIT 1)
        UNION ALL
        SELECT n.tenant_id, n.calendar_id FROM queued q CROSS JOIN LATERAL (
            SELECT t.tenant_id, t.calendar_id FROM tasks t
             WHERE t.synced_seq < t.dirty_seq AND t.calendar_id IS NOT NULL AND (t.tenant_id, t.calendar_id) > (q.tenant_id, q.calendar_id)
             ORDER BY t.tenant_id, t.calendar_id LIMIT 1) n
    ), limits AS (
        SELECT now() - grace_ms * interval '1 millisecond' AS since
    ), candidates AS (
        SELECT c.tenant_id, c.calendar_id FROM calendars c, limits m
         WHERE c.synced_seq < c.dirty_seq AND c.selected AND (c.dirty_at IS NULL OR c.dirty_at < m.since)
        UNION
        SELECT q.tenant_id, q.calendar_id FROM queued q, limits m
         WHERE EXISTS (SELECT 1 FROM tasks t WHERE (t.tenant_id, t.calendar_id) = (q.tenant_id, q.calendar_id) AND t.synced_seq < t.dirty_seq
                          AND coalesce(t.retry_at, t.received_at) < m.since)
    ), late AS (
        SELECT c.tenant_id, c.calendar_id, u.user_id
          FROM limits m, candidates k JOIN calendars c ON (c.tenant_id, c.calendar_id) = (k.tenant_id, k.calendar_id)
          JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id)
         WHERE c.lease_until < now() AND (c.retry_at IS NULL OR c.retry_at < m.since) AND c.missing_since IS NULL AND u.status = 'active'
           AND (c.woken_at IS NULL OR c.woken_at < m.since)
         ORDER BY c.woken_at NULLS FIRST LIMIT most FOR NO KEY UPDATE OF c SKIP LOCKED
    )
    UPDATE calendars c SET woken_at = now() FROM late l WHERE (c.tenant_id, c.calendar_id) = (l.tenant_id, l.calendar_id)
    RETURNING c.tenant_id, l.user_id, c.connection_id, c.calendar_id
$$;

-- Tasks that wait although their user has a default calendar now: they arrived while it was being discovered, or syncing was switched on since.
CREATE FUNCTION place_waiting_tasks(most integer) RETURNS TABLE (tenant_id text, user_id text, calendar_id uuid)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH waiting AS (
        SELECT t.tenant_id, t.task_id, place_of_task(t.tenant_id, t.task_id, t.user_id, coalesce(t.snapshot ->> 'calendar', '')) AS place
          FROM user_calendar_connections u JOIN tasks t ON (t.tenant_id, t.user_id) = (u.tenant_id, u.user_id)
         WHERE u.status = 'active' AND u.is_default AND u.auto_sync_tasks AND u.default_calendar_id IS NOT NULL AND t.calendar_id IS NULL
         ORDER BY t.tenant_id, t.task_id LIMIT most FOR NO KEY UPDATE OF t SKIP LOCKED
    ), placed AS (
        UPDATE tasks t SET calendar_id = w.place, dirty_seq = t.dirty_seq + 1, state = 'pending', retry_at = NULL, failures = 0 FROM waiting w
         WHERE (t.tenant_id, t.task_id) = (w.tenant_id, w.task_id) AND w.place IS NOT NULL
        RETURNING t.tenant_id, t.user_id, t.calendar_id
    )
    SELECT DISTINCT p.tenant_id, p.user_id, p.calendar_id FROM placed p
$$;

-- Active connections whose access token has been out of use for a day; each is named once an hour.
CREATE FUNCTION claim_idle_grants(most integer) RETURNS TABLE (tenant_id text, connection_id uuid)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH due AS (
        SELECT u.tenant_id, u.connection_id FROM user_calendar_connections u
         WHERE u.status = 'active' AND u.refresh_token IS NOT NULL AND u.token_expires_at < now() - interval '23 hours'
           AND (u.idle_checked_at IS NULL OR u.idle_checked_at < now() - interval '1 hour')
         ORDER BY u.idle_checked_at NULLS FIRST LIMIT most FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE user_calendar_connections u SET idle_checked_at = now() FROM due d WHERE (u.tenant_id, u.connection_id) = (d.tenant_id, d.connection_id)
    RETURNING u.tenant_id, u.connection_id
$$;

-- Active connections whose calendar list was never read, or not for a day; each is named once a minute.
CREATE FUNCTION claim_stale_discoveries(most integer) RETURNS TABLE (tenant_id text, connection_id uuid)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH due AS (
        SELECT u.tenant_id, u.connection_id FROM user_calendar_connections u
         WHERE u.status = 'active' AND (u.calendars_read_at IS NULL OR u.calendars_read_at < now() - interval '1 day') AND u.discovery_claimed_until < now()
         ORDER BY u.discovery_claimed_until LIMIT most FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE user_calendar_connections u SET discovery_claimed_until = now() + interval '1 minute' FROM due d
     WHERE (u.tenant_id, u.connection_id) = (d.tenant_id, d.connection_id)
    RETURNING u.tenant_id, u.connection_id
$$;

-- Takes away what has served: message ids after 14 days (longer than the topics keep them), sent messages after a day, stopped channels after 30 days,
-- consent attempts a day after they expired, answered operations over 30 days old that are not their link's newest. At most `most` rows of each.
CREATE FUNCTION retain(most integer) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE removed bigint; total bigint := 0;
BEGIN
    DELETE FROM inbox x USING (SELECT i.tenant_id, i.source, i.message_id FROM inbox i WHERE i.seen_at < now() - interval '14 days'
                                ORDER BY i.seen_at LIMIT most FOR UPDATE SKIP LOCKED) d
     WHERE (x.tenant_id, x.source, x.message_id) = (d.tenant_id, d.source, d.message_id);
    GET DIAGNOSTICS removed = ROW_COUNT; total := total + removed;
    DELETE FROM outbox x USING (SELECT o.tenant_id, o.outbox_id FROM outbox o WHERE o.status = 'sent' AND o.sent_at < now() - interval '1 day'
                                 ORDER BY o.sent_at LIMIT most FOR UPDATE SKIP LOCKED) d
     WHERE (x.tenant_id, x.outbox_id) = (d.tenant_id, d.outbox_id);
    GET DIAGNOSTICS removed = ROW_COUNT; total := total + removed;
    DELETE FROM channels x USING (SELECT h.tenant_id, h.channel_id FROM channels h WHERE h.state = 'stopped' AND h.stopped_at < now() - interval '30 days'
                                   ORDER BY h.stopped_at LIMIT most FOR UPDATE SKIP LOCKED) d
     WHERE (x.tenant_id, x.channel_id) = (d.tenant_id, d.channel_id);
    GET DIAGNOSTICS removed = ROW_COUNT; total := total + removed;
    DELETE FROM consent_attempts x USING (SELECT a.tenant_id, a.state_hash FROM consent_attempts a WHERE a.expires_at < now() - interval '1 day'
                                           ORDER BY a.expires_at LIMIT most FOR UPDATE SKIP LOCKED) d
     WHERE (x.tenant_id, x.state_hash) = (d.tenant_id, d.state_hash);
    GET DIAGNOSTICS removed = ROW_COUNT; total := total + removed;
    DELETE FROM operations x USING (SELECT o.tenant_id, o.operation_id FROM operations o
                                     WHERE o.created_at < now() - interval '30 days' AND o.state <> 'pending'
                                       AND EXISTS (SELECT 1 FROM operations n WHERE (n.tenant_id, n.link_id) = (o.tenant_id, o.link_id) AND n.sequence > o.sequence)
                                     ORDER BY o.created_at LIMIT most FOR UPDATE OF o SKIP LOCKED) d
     WHERE (x.tenant_id, x.operation_id) = (d.tenant_id, d.operation_id);
    GET DIAGNOSTICS removed = ROW_COUNT; total := total + removed;
    RETURN total;
END $$;

-- Figures over all tenants, no names.
CREATE FUNCTION read_backlog() RETURNS TABLE (pending_calendars bigint, pending_tasks bigint, outbox_pending bigint, calendars_without_channel bigint,
                                              oldest_pending_seconds double precision)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT (SELECT count(*) FROM calendars c WHERE c.synced_seq < c.dirty_seq AND c.selected),
           (SELECT count(*) FROM tasks t WHERE t.synced_seq < t.dirty_seq AND t.calendar_id IS NOT NULL),
           (SELECT count(*) FROM outbox o WHERE o.status = 'pending'),
           (SELECT count(*) FROM calendars c JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id)
             WHERE c.selected AND c.missing_since IS NULL AND c.pushable AND u.status = 'active'
               AND NOT EXISTS (SELECT 1 FROM channels h WHERE (h.tenant_id, h.calendar_id) = (c.tenant_id, c.calendar_id)
                                  AND h.state = 'active' AND h.expires_at > now())),
           coalesce(extract(epoch FROM now() - least(
               (SELECT min(c.dirty_at) FROM calendars c JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id)
                 WHERE c.synced_seq < c.dirty_seq AND c.selected AND u.status = 'active'),
               (SELECT min(t.received_at) FROM tasks t WHERE t.synced_seq < t.dirty_seq AND t.calendar_id IS NOT NULL))), 0)::double precision
$$;

-- webhook-ingest caches channels; whatever changes what a channel stands for is told by its id.
CREATE FUNCTION tell_of_channel() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_notify('calbridge_channels', coalesce(NEW.channel_id, OLD.channel_id)::text);
    RETURN NULL;
END $$;
CREATE TRIGGER told_of_new_channel AFTER INSERT OR DELETE ON channels FOR EACH ROW EXECUTE FUNCTION tell_of_channel();
-- Deliveries update a channel too, and change nothing that is cached.
CREATE TRIGGER told_of_changed_channel AFTER UPDATE ON channels FOR EACH ROW
    WHEN ((OLD.state, OLD.resource_id, OLD.expires_at, OLD.token_hash) IS DISTINCT FROM (NEW.state, NEW.resource_id, NEW.expires_at, NEW.token_hash))
    EXECUTE FUNCTION tell_of_channel();

-- A calendar nobody watches any more (unselected, gone, its connection revoked or disconnected) gives up its channels at once; one that is watched
-- again gets a new one at once. Calendars are locked before channels, as everywhere.
CREATE FUNCTION follow_calendar() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.selected AND NEW.missing_since IS NULL THEN
        NEW.channel_due_at := now();
        NEW.next_poll_at := now();
    ELSE
        UPDATE channels h SET state = 'superseded', superseded_at = now() - interval '1 hour'
         WHERE (h.tenant_id, h.calendar_id) = (NEW.tenant_id, NEW.calendar_id) AND h.state IN ('pending', 'active');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER followed_by_channels BEFORE UPDATE ON calendars FOR EACH ROW
    WHEN ((OLD.selected AND OLD.missing_since IS NULL) <> (NEW.selected AND NEW.missing_since IS NULL)) EXECUTE FUNCTION follow_calendar();

CREATE FUNCTION follow_connection() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.status IN ('revoked', 'disconnected') THEN
        UPDATE calendars c SET channel_due_at = 'infinity' WHERE (c.tenant_id, c.connection_id) = (NEW.tenant_id, NEW.connection_id);
        UPDATE channels h SET state = 'superseded', superseded_at = now() - interval '1 hour'
         WHERE (h.tenant_id, h.connection_id) = (NEW.tenant_id, NEW.connection_id) AND h.state IN ('pending', 'active');
    ELSIF OLD.status IN ('revoked', 'disconnected') THEN
        UPDATE calendars c SET channel_due_at = now(), next_poll_at = now() WHERE (c.tenant_id, c.connection_id) = (NEW.tenant_id, NEW.connection_id);
    END IF;
    PERFORM pg_notify('calbridge_channels', h.channel_id::text) FROM channels h
      WHERE (h.tenant_id, h.connection_id) = (NEW.tenant_id, NEW.connection_id) AND h.state <> 'stopped';
    RETURN NULL;
END $$;
CREATE TRIGGER followed_by_channels AFTER UPDATE ON user_calendar_connections FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION follow_connection();

-- Which migrations were applied; written by calbridgectl.
CREATE TABLE IF NOT EXISTS schema_migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- What the crossings need, and no more.
GRANT SELECT, INSERT, UPDATE ON tasks, quarantine TO calbridge_definer;
GRANT SELECT, INSERT, DELETE ON inbox TO calbridge_definer;
GRANT SELECT, UPDATE ON calendars, user_calendar_connections TO calbridge_definer;
GRANT SELECT, UPDATE, DELETE ON channels, outbox, consent_attempts, operations, inbox TO calbridge_definer;
GRANT SELECT ON task_links TO calbridge_definer;

DO $$
DECLARE f text;
BEGIN
    FOREACH f IN ARRAY ARRAY[
        'ingest_channel(uuid)', 'place_of_task(text, text, text, text)', 'take_in_tasks(text[], text[], text[], bigint[], boolean[], text[])',
        'take_in_hints(uuid[], text[], text[], boolean[], uuid[], bigint[])',
        'set_aside(text, uuid, text, integer, bigint, text, text, text, bytea, bytea, text)', 'due_work(integer)', 'claim_outbox(integer)',
        'outbox_sent(text[], bigint[])', 'claim_channel_duties(integer, bigint)', 'claim_polls(integer, bigint, bigint, double precision)',
        'overdue_work(integer, bigint)', 'place_waiting_tasks(integer)', 'claim_idle_grants(integer)', 'claim_stale_discoveries(integer)', 'retain(integer)', 'read_backlog()',
        'tell_of_channel()', 'follow_calendar()', 'follow_connection()'] LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
        EXECUTE format('ALTER FUNCTION %s OWNER TO calbridge_definer', f);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM calbridge_definer;

-- webhook-ingest asks what a channel id stands for, and nothing else.
GRANT EXECUTE ON FUNCTION ingest_channel(uuid) TO calbridge_ingest;

-- sync-worker.
GRANT EXECUTE ON FUNCTION take_in_tasks(text[], text[], text[], bigint[], boolean[], text[]), take_in_hints(uuid[], text[], text[], boolean[], uuid[], bigint[]),
    set_aside(text, uuid, text, integer, bigint, text, text, text, bytea, bytea, text), due_work(integer), outbox_sent(text[], bigint[]),
    place_of_task(text, text, text, text) TO calbridge_worker;
GRANT SELECT ON google_integrations TO calbridge_worker;
GRANT SELECT, UPDATE ON user_calendar_connections, calendars TO calbridge_worker;
GRANT SELECT, INSERT, UPDATE ON tasks, task_links, operations, events, quarantine, alerts, outbox TO calbridge_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON blocked_times TO calbridge_worker;
GRANT SELECT, INSERT ON audit_log TO calbridge_worker;

-- oauth-gateway.
GRANT EXECUTE ON FUNCTION outbox_sent(text[], bigint[]), place_of_task(text, text, text, text) TO calbridge_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON google_integrations, consent_attempts TO calbridge_gateway;
GRANT SELECT, INSERT, UPDATE ON user_calendar_connections, calendars, alerts, outbox TO calbridge_gateway;
GRANT SELECT ON tasks, task_links, operations, events, blocked_times, quarantine TO calbridge_gateway;
GRANT UPDATE (calendar_id, dirty_seq, retry_at, failures, state, reason, explanation) ON tasks TO calbridge_gateway;
GRANT SELECT, INSERT ON audit_log TO calbridge_gateway;
-- The connection's health is shown, its channels' tokens are not. Disconnecting stops them, which needs their resource ids.
GRANT SELECT (tenant_id, channel_id, connection_id, calendar_id, resource_id, state, state_reason, expires_at, renew_at, verified_at, last_message_at, created_at, stopped_at)
    ON channels TO calbridge_gateway;
GRANT UPDATE (state, state_reason, stopped_at) ON channels TO calbridge_gateway;

-- channel-renewer.
GRANT EXECUTE ON FUNCTION claim_channel_duties(integer, bigint), claim_polls(integer, bigint, bigint, double precision), overdue_work(integer, bigint), place_waiting_tasks(integer),
    claim_outbox(integer), outbox_sent(text[], bigint[]), claim_idle_grants(integer), claim_stale_discoveries(integer), retain(integer), read_backlog(),
    place_of_task(text, text, text, text) TO calbridge_renewer;
GRANT SELECT ON google_integrations TO calbridge_renewer;
GRANT SELECT, UPDATE ON user_calendar_connections TO calbridge_renewer;
GRANT SELECT, INSERT, UPDATE ON calendars, channels, alerts, outbox TO calbridge_renewer;
GRANT SELECT ON task_links TO calbridge_renewer;
GRANT SELECT (tenant_id, task_id, user_id, snapshot, deleted, calendar_id, state, dirty_seq) ON tasks TO calbridge_renewer;
GRANT UPDATE (calendar_id, dirty_seq, retry_at, failures, state, reason, explanation) ON tasks TO calbridge_renewer;
GRANT SELECT, INSERT ON audit_log TO calbridge_renewer;
