-- Settings of a whole tenant are settings of each of its connections: whoever works by them loses the lease when they change, as when a
-- connection's own settings do.
CREATE FUNCTION fence_tenant() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE calendars c SET lease_epoch = c.lease_epoch + 1, lease_owner = NULL, lease_until = '-infinity' FROM (
        SELECT k.tenant_id, k.calendar_id FROM calendars k WHERE k.tenant_id = NEW.tenant_id AND k.lease_owner IS NOT NULL
         ORDER BY k.tenant_id, k.calendar_id FOR NO KEY UPDATE) held
     WHERE (c.tenant_id, c.calendar_id) = (held.tenant_id, held.calendar_id);
    RETURN NULL;
END $$;
CREATE TRIGGER fenced_when_tenant_gets_settings AFTER INSERT ON tenant_settings FOR EACH ROW EXECUTE FUNCTION fence_tenant();
CREATE TRIGGER fenced_when_tenant_settings_change AFTER UPDATE ON tenant_settings FOR EACH ROW
    WHEN (OLD.settings IS DISTINCT FROM NEW.settings) EXECUTE FUNCTION fence_tenant();

GRANT CREATE ON SCHEMA public TO calbridge_definer;
REVOKE ALL ON FUNCTION fence_tenant() FROM PUBLIC;
ALTER FUNCTION fence_tenant() OWNER TO calbridge_definer;
REVOKE CREATE ON SCHEMA public FROM calbridge_definer;
