-- DropIndex
DROP INDEX "audit_entry_target_type_target_id_id_idx";

-- CreateIndex
CREATE INDEX "audit_entry_at_id_idx" ON "audit_entry"("at", "id");

-- CreateIndex
CREATE INDEX "audit_entry_target_type_target_id_at_id_idx" ON "audit_entry"("target_type", "target_id", "at", "id");
