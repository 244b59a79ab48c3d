-- Series and their occurrences, imported events, moved and read-only ones, settings of a whole tenant.

ALTER TABLE tasks
    ADD series_task_id     text,                      -- this row is one occurrence of that task; its id is '<series>/<occurrence>'
    ADD occurrence         text NOT NULL DEFAULT '',  -- original start: '20261125T090000Z' or '20261125'
    ADD split_from_task_id text,                      -- this series began as "this and following" of that one
    ADD split_from         text NOT NULL DEFAULT '',  -- at this original start
    ADD cut_at             text NOT NULL DEFAULT '',  -- the series ends before this original start: a later one has taken over
    ADD origin             text NOT NULL DEFAULT 'crm' CHECK (origin IN ('crm', 'google'));
CREATE INDEX tasks_of_series ON tasks (tenant_id, series_task_id) WHERE series_task_id IS NOT NULL;

ALTER TABLE task_links
    ADD ical_uid         text NOT NULL DEFAULT '',    -- the meeting across accounts, with original_start
    ADD original_start   text NOT NULL DEFAULT '',
    ADD read_only        text NOT NULL DEFAULT '',    -- why shared fields cannot be written: 'guest', 'kind', 'locked'
    ADD event_updated_at timestamptz;
CREATE INDEX links_by_event ON task_links (tenant_id, google_calendar_event_id);
CREATE INDEX links_by_uid ON task_links (tenant_id, ical_uid, original_start) WHERE ical_uid <> '';

ALTER TABLE operations DROP CONSTRAINT operations_kind_check;
ALTER TABLE operations
    ADD CONSTRAINT operations_kind_check CHECK (kind IN ('create', 'patch', 'delete', 'move', 'pull', 'import', 'resolve', 'undo', 'zoom_create', 'zoom_update',
                                                         'zoom_delete', 'read_back')),
    ADD conflicts jsonb;                              -- met on the way, with who won

-- One meeting seen through several connected people is one task: whoever comes first claims it.
CREATE TABLE meetings (
    tenant_id      text NOT NULL,
    ical_uid       text NOT NULL,
    original_start text NOT NULL DEFAULT '',
    task_id        text NOT NULL,
    claimed_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, ical_uid, original_start)
);

CREATE TABLE tenant_settings (
    tenant_id  text PRIMARY KEY,
    settings   jsonb NOT NULL DEFAULT '{}',           -- as sync_settings of a connection, which goes before it member by member
    updated_at timestamptz NOT NULL DEFAULT now()
);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['meetings', 'tenant_settings'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY own_tenant ON %I USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', t);
        EXECUTE format('CREATE POLICY crossing ON %I TO calbridge_definer USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON meetings TO calbridge_worker;
GRANT SELECT ON tenant_settings TO calbridge_worker, calbridge_renewer;
GRANT SELECT, INSERT, UPDATE ON tenant_settings TO calbridge_gateway;

-- Where a task's event belongs. An occurrence is where its series is; without one it waits.
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
          WHERE u.tenant_id = of_tenant AND u.user_id = of_user AND u.is_default AND u.auto_sync_tasks AND u.status <> 'disconnected'))
    END
$$;

-- One batch of task-changed; an occurrence and a series split off another are rows of their own. An older or equal version changes nothing.
-- Returns one row per input that was taken and has a place.
CREATE FUNCTION take_in_tasks(tenants text[], users text[], ids text[], versions bigint[], deletions boolean[], snapshots text[], series text[],
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
                                split_from_task_id, split_from)
        SELECT p.tenant, p.id, p.usr, p.version, p.snapshot::jsonb, p.deletion, p.place, CASE WHEN p.place IS NULL THEN 'waiting' ELSE 'pending' END,
               nullif(p.of_series, ''), CASE WHEN p.of_series = '' THEN '' ELSE p.occurrence END,
               nullif(p.split_from_task, ''), CASE WHEN p.split_from_task = '' THEN '' ELSE p.occurrence END
          FROM placed p ORDER BY p.tenant, p.id
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
DROP FUNCTION take_in_tasks(text[], text[], text[], bigint[], boolean[], text[]);
REVOKE ALL ON FUNCTION take_in_tasks(text[], text[], text[], bigint[], boolean[], text[], text[], text[], text[]) FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO calbridge_definer;
ALTER FUNCTION take_in_tasks(text[], text[], text[], bigint[], boolean[], text[], text[], text[], text[]) OWNER TO calbridge_definer;
REVOKE CREATE ON SCHEMA public FROM calbridge_definer;
GRANT EXECUTE ON FUNCTION take_in_tasks(text[], text[], text[], bigint[], boolean[], text[], text[], text[], text[]) TO calbridge_worker;
