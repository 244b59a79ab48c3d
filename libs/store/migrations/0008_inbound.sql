-- What the inbound side remembers: the mass-delete brake, how far busy times reach, which events repeat and which are kept without details.

ALTER TABLE calendars
    ADD brake         jsonb,        -- {since, missing, known, pass}: so many deletions at once were not believed; + {answer, most, until} once a user has decided
    ADD blocked_until timestamptz;  -- busy times of series are known up to here

ALTER TABLE events
    ADD recurring boolean NOT NULL DEFAULT false,  -- a series: it has recurrence lines
    ADD redacted  boolean NOT NULL DEFAULT false;  -- times only: private, or the connection reads busy times only
UPDATE events SET recurring = true WHERE raw ? 'recurrence';
CREATE INDEX events_recurring ON events (tenant_id, calendar_id, google_event_id) WHERE recurring AND status <> 'cancelled';
CREATE INDEX events_of_series ON events (tenant_id, calendar_id, recurring_event_id) WHERE recurring_event_id IS NOT NULL;

-- The event or series a busy time comes from; of a series google_event_id names the instance.
ALTER TABLE blocked_times ADD source_event_id text NOT NULL DEFAULT '';
CREATE INDEX blocked_by_source ON blocked_times (tenant_id, calendar_id, source_event_id);

-- A connection whose choices about reading change is read again: its calendars become dirty, and the worker sees that the reading changed.
CREATE FUNCTION read_again() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE calendars c SET dirty_seq = c.dirty_seq + 1, dirty_at = coalesce(c.dirty_at, now())
     WHERE (c.tenant_id, c.connection_id) = (NEW.tenant_id, NEW.connection_id) AND c.selected;
    RETURN NULL;
END $$;
GRANT CREATE ON SCHEMA public TO calbridge_definer;
REVOKE ALL ON FUNCTION read_again() FROM PUBLIC;
ALTER FUNCTION read_again() OWNER TO calbridge_definer;
REVOKE CREATE ON SCHEMA public FROM calbridge_definer;
CREATE TRIGGER read_again AFTER UPDATE ON user_calendar_connections FOR EACH ROW
    WHEN ((OLD.mode, OLD.import_external_events, OLD.sync_settings -> 'import', OLD.sync_settings -> 'blocked')
          IS DISTINCT FROM (NEW.mode, NEW.import_external_events, NEW.sync_settings -> 'import', NEW.sync_settings -> 'blocked'))
    EXECUTE FUNCTION read_again();

-- Where pulling waits for a person's word, only what the CRM wants counts as due.
CREATE OR REPLACE FUNCTION due_work(most integer) RETURNS TABLE (tenant_id text, user_id text, connection_id uuid, calendar_id uuid)
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
        SELECT c.tenant_id, c.calendar_id FROM calendars c
         WHERE c.synced_seq < c.dirty_seq AND c.selected AND (c.brake IS NULL OR c.brake ? 'answer')
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
