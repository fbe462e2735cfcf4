-- AlterTable
ALTER TABLE "charging_transaction" ADD COLUMN     "corrected" JSONB;

-- CreateTable
CREATE TABLE "transaction_request" (
    "id" UUID NOT NULL,
    "transaction_id" UUID NOT NULL,
    "station_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "content" JSONB NOT NULL,
    "reason" TEXT NOT NULL,
    "actor" TEXT NOT NULL,
    "requested_by" TEXT NOT NULL,
    "idempotency_key" TEXT NOT NULL,
    "request_hash" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "transaction_request_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "transaction_correction" (
    "id" UUID NOT NULL,
    "transaction_id" UUID NOT NULL,
    "station_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "refusal" TEXT,
    "actor" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "before" JSONB,
    "after" JSONB,
    "at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "transaction_correction_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "transaction_request_transaction_id_idx" ON "transaction_request"("transaction_id");

-- CreateIndex
CREATE UNIQUE INDEX "transaction_request_requested_by_idempotency_key_key" ON "transaction_request"("requested_by", "idempotency_key");

-- CreateIndex
CREATE INDEX "transaction_correction_transaction_id_at_idx" ON "transaction_correction"("transaction_id", "at");
