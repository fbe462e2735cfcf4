-- DropIndex
DROP INDEX "charging_transaction_created_at_id_idx";

-- CreateIndex
CREATE INDEX "charging_transaction_created_at_id_ended_at_idx" ON "charging_transaction"("created_at", "id", "ended_at");
