-- CreateTable
CREATE TABLE "audit_chain" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "position" BIGINT NOT NULL,
    "hash" BYTEA NOT NULL,
    "broken_at" BIGINT,
    "seal" BYTEA NOT NULL,

    CONSTRAINT "audit_chain_pkey" PRIMARY KEY ("id")
);
-- Of chains made so far no head was noted: they begin anew.
UPDATE "audit_entry" SET "position" = NULL, "hash" = NULL WHERE "position" IS NOT NULL;
