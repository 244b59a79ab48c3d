-- All tasks of one user, by id, for bulk syncs.
CREATE INDEX tasks_of_user ON tasks (tenant_id, user_id, task_id);

-- The history of an item reads its operations newest first.
CREATE INDEX operations_of_link ON operations (tenant_id, link_id, created_at);

-- As before, but of each link the newest write stays besides its newest operation: the event still carries its stamp.
CREATE OR REPLACE FUNCTION retain(most integer) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
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
    DELETE FROM operations x USING (SELECT o.tenant_id, o.operation_id FROM operations o JOIN task_links l ON (l.tenant_id, l.link_id) = (o.tenant_id, o.link_id)
                                     WHERE o.created_at < now() - interval '30 days' AND o.state <> 'pending'
                                       AND (o.kind IN ('pull', 'import', 'resolve', 'undo') OR o.sequence <> l.recorded_seq)
                                       AND EXISTS (SELECT 1 FROM operations n WHERE (n.tenant_id, n.link_id) = (o.tenant_id, o.link_id) AND n.sequence > o.sequence)
                                     ORDER BY o.created_at LIMIT most FOR UPDATE OF o SKIP LOCKED) d
     WHERE (x.tenant_id, x.operation_id) = (d.tenant_id, d.operation_id);
    GET DIAGNOSTICS removed = ROW_COUNT; total := total + removed;
    RETURN total;
END $$;
