-- CreateTable
CREATE TABLE "meter_reading_pack" (
    "transaction_id" UUID NOT NULL,
    "number" INTEGER NOT NULL,
    "first_at" TIMESTAMPTZ(3) NOT NULL,
    "last_at" TIMESTAMPTZ(3) NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "readings" BYTEA NOT NULL,

    CONSTRAINT "meter_reading_pack_pkey" PRIMARY KEY ("transaction_id","number")
);

-- Written by hand from here on: what schema.prisma cannot say.

-- It is deflated already.
ALTER TABLE "meter_reading_pack" ALTER COLUMN "readings" SET STORAGE EXTERNAL;

-- The table is made anew, because a dropped column would cost each later row its place in the header. What it held comes
-- along as JSON (shape 0 of a reading); partitions that start-up makes take their rows from the default one.
ALTER TABLE "meter_reading" RENAME TO "meter_reading_before";
ALTER TABLE "meter_reading_default" RENAME TO "meter_reading_before_default";

CREATE TABLE "meter_reading" (
    "sampled_at" TIMESTAMPTZ(3) NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "transaction_id" UUID,
    "station_id" TEXT NOT NULL,
    "reading" BYTEA NOT NULL
) PARTITION BY RANGE ("sampled_at");
CREATE TABLE "meter_reading_default" PARTITION OF "meter_reading" DEFAULT;

INSERT INTO "meter_reading"
SELECT "sampled_at", "received_at", "transaction_id", "station_id",
       '\x00' || convert_to(jsonb_build_array("evse_number", "connector_number", "samples")::text, 'UTF8')
FROM "meter_reading_before";
DROP TABLE "meter_reading_before";

CREATE INDEX "meter_reading_transaction_id_idx" ON "meter_reading"("transaction_id");

-- What was over before is packed too.
INSERT INTO "job" ("service", "kind", "key", "station_id", "due_at")
SELECT 'transactions', 'pack-readings', "id", "station_id", now() + interval '1 hour' * random()
FROM "charging_transaction" WHERE "status" = 'ended'
  AND "id" IN (SELECT "transaction_id" FROM "meter_reading");
