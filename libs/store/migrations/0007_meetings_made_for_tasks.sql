-- Video meetings made for tasks: Meet requests that must not be made twice, and Zoom.

ALTER TABLE task_links
    ADD meet_request text NOT NULL DEFAULT '',        -- id of the conference request under way or carried out
    ADD meet_failed  boolean NOT NULL DEFAULT false;  -- it failed, and the CRM heard so

ALTER TABLE tasks ADD has_zoom boolean NOT NULL DEFAULT false;  -- there is a row in zoom_meetings

-- A tenant's own Zoom app (server-to-server OAuth).
CREATE TABLE zoom_accounts (
    tenant_id     text PRIMARY KEY,
    account_id    text NOT NULL,
    client_id     text NOT NULL,
    client_secret bytea NOT NULL,                     -- sealed
    status        text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);

-- The Zoom meeting of a task: one, whatever becomes of its event.
CREATE TABLE zoom_meetings (
    tenant_id    text NOT NULL,
    task_id      text NOT NULL,
    link_id      uuid,                                -- whose operations tell its history
    meeting_id   text NOT NULL DEFAULT '',            -- empty: not made yet
    join_url     text NOT NULL DEFAULT '',
    said         text NOT NULL DEFAULT '',            -- what the meeting was last told: topic and time
    doing        text NOT NULL DEFAULT '' CHECK (doing IN ('', 'create', 'update', 'delete')),
    operation_id uuid,                                -- of what is under way; also the marker in the meeting
    reason       text NOT NULL DEFAULT '',            -- why there is none, as the CRM was told
    failures     integer NOT NULL DEFAULT 0,
    retry_at     timestamptz,
    PRIMARY KEY (tenant_id, task_id)
);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['zoom_accounts', 'zoom_meetings'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY own_tenant ON %I USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', t);
        EXECUTE format('CREATE POLICY crossing ON %I TO calbridge_definer USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;
GRANT SELECT ON zoom_accounts TO calbridge_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON zoom_accounts TO calbridge_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON zoom_meetings TO calbridge_worker;
