-- DropIndex
DROP INDEX "charging_transaction_token_value_status_idx";

-- Written by hand from here on: what schema.prisma cannot say.

-- What a token charged, however a station spelled it, and what is held: rare among millions.
CREATE INDEX "charging_transaction_folded_token_idx" ON "charging_transaction"(lower("token_value"), "created_at", "id");
CREATE INDEX "charging_transaction_held_idx" ON "charging_transaction"("created_at", "id") WHERE cardinality("held_reasons") > 0;
