-- What people ask the engine to do: written by the gateway, carried out by the worker that holds the calendar.
CREATE TABLE requests (
    tenant_id       text NOT NULL,
    request_id      uuid NOT NULL,
    user_id         text NOT NULL,                      -- whose connection it is about
    connection_id   uuid NOT NULL,
    calendar_id     uuid NOT NULL,                      -- whose lease carries it out
    kind            text NOT NULL CHECK (kind IN ('resolve_conflict', 'undo', 'bulk_sync', 'deletions', 'retry', 'retry_quarantine', 'drop_quarantine',
                                                  'full_resync')),
    subject         text NOT NULL DEFAULT '',           -- the task's row, the operation, the item set aside
    detail          jsonb NOT NULL DEFAULT '{}',
    who             text NOT NULL,                      -- who asked
    idempotency_key text,
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'running', 'done', 'failed')),
    progress        jsonb NOT NULL DEFAULT '{}',
    result          jsonb,
    attempts        integer NOT NULL DEFAULT 0,
    next_at         timestamptz NOT NULL DEFAULT now(), -- when the worker looks at it again
    woken_at        timestamptz,                        -- when the clock last sent a wake-up for it
    created_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    PRIMARY KEY (tenant_id, request_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES user_calendar_connections (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendars (tenant_id, calendar_id)
);
CREATE UNIQUE INDEX requests_asked_once ON requests (tenant_id, idempotency_key);
CREATE INDEX requests_open ON requests (tenant_id, calendar_id, created_at) WHERE state IN ('pending', 'running');
CREATE INDEX requests_waiting ON requests (next_at) WHERE state IN ('pending', 'running');
CREATE INDEX requests_finished ON requests (finished_at) WHERE finished_at IS NOT NULL;

ALTER TABLE tasks
    ADD bulk_request uuid,                              -- the bulk sync that made it due
    ADD bulk_at      timestamptz;                       -- when; a message that arrived later is a live edit again and goes first
CREATE INDEX tasks_in_conflict ON tasks (tenant_id, user_id) WHERE state = 'conflict';
CREATE INDEX tasks_of_bulk ON tasks (tenant_id, bulk_request) WHERE bulk_request IS NOT NULL;

ALTER TABLE requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE requests FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON requests USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY crossing ON requests TO calbridge_definer USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON requests TO calbridge_gateway;
GRANT SELECT, UPDATE ON requests TO calbridge_worker;
GRANT SELECT, UPDATE, DELETE ON requests TO calbridge_definer;

-- sync-worker's sweep: calendars nobody holds with something asked for. Ids only.
CREATE FUNCTION due_requests(most integer) RETURNS TABLE (tenant_id text, user_id text, calendar_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT r.tenant_id, u.user_id, r.calendar_id
      FROM (SELECT o.tenant_id, o.calendar_id FROM requests o WHERE o.state IN ('pending', 'running') AND o.next_at <= now()
             ORDER BY o.next_at LIMIT most) r
      JOIN calendars c ON (c.tenant_id, c.calendar_id) = (r.tenant_id, r.calendar_id)
      JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id)
     WHERE c.lease_until < now() AND (c.retry_at IS NULL OR c.retry_at <= now()) AND c.missing_since IS NULL AND u.status = 'active'
$$;

-- channel-renewer's sweep: what was asked for and not looked at for longer than `grace`. Each is named at most once in that time.
CREATE FUNCTION overdue_requests(most integer, grace_ms bigint) RETURNS TABLE (tenant_id text, user_id text, calendar_id uuid)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH late AS (
        SELECT r.tenant_id, r.request_id FROM requests r, (SELECT now() - grace_ms * interval '1 millisecond' AS since) m
         WHERE r.state IN ('pending', 'running') AND r.next_at < m.since AND (r.woken_at IS NULL OR r.woken_at < m.since)
         ORDER BY r.next_at LIMIT most FOR NO KEY UPDATE OF r SKIP LOCKED
    ), woken AS (
        UPDATE requests r SET woken_at = now() FROM late l WHERE (r.tenant_id, r.request_id) = (l.tenant_id, l.request_id)
        RETURNING r.tenant_id, r.user_id, r.calendar_id
    )
    SELECT DISTINCT w.tenant_id, w.user_id, w.calendar_id FROM woken w
      JOIN calendars c ON (c.tenant_id, c.calendar_id) = (w.tenant_id, w.calendar_id)
      JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id)
     WHERE c.lease_until < now() AND c.missing_since IS NULL AND u.status = 'active'
$$;

-- Answered requests go after 30 days, as the operations they caused.
CREATE FUNCTION retain_requests(most integer) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE removed bigint;
BEGIN
    DELETE FROM requests x USING (SELECT r.tenant_id, r.request_id FROM requests r WHERE r.finished_at < now() - interval '30 days'
                                   ORDER BY r.finished_at LIMIT most FOR UPDATE SKIP LOCKED) d
     WHERE (x.tenant_id, x.request_id) = (d.tenant_id, d.request_id);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;

GRANT CREATE ON SCHEMA public TO calbridge_definer;
DO $$
DECLARE f text;
BEGIN
    FOREACH f IN ARRAY ARRAY['due_requests(integer)', 'overdue_requests(integer, bigint)', 'retain_requests(integer)'] LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
        EXECUTE format('ALTER FUNCTION %s OWNER TO calbridge_definer', f);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM calbridge_definer;
GRANT EXECUTE ON FUNCTION due_requests(integer) TO calbridge_worker;
GRANT EXECUTE ON FUNCTION overdue_requests(integer, bigint), retain_requests(integer) TO calbridge_renewer;
