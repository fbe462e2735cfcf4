-- CreateTable
CREATE TABLE "charging_profile" (
    "command_id" UUID NOT NULL,
    "station_id" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "sent" JSONB NOT NULL,
    "answer" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "transaction_id" UUID,
    "requested_by" TEXT NOT NULL,
    "requested_at" TIMESTAMPTZ(3) NOT NULL,
    "answered_at" TIMESTAMPTZ(3),
    "settled_at" TIMESTAMPTZ(3),

    CONSTRAINT "charging_profile_pkey" PRIMARY KEY ("command_id")
);

-- CreateTable
CREATE TABLE "charging_profile_clear" (
    "command_id" UUID NOT NULL,
    "station_id" TEXT NOT NULL,
    "sent" JSONB NOT NULL,
    "answer" TEXT NOT NULL,
    "requested_by" TEXT NOT NULL,
    "requested_at" TIMESTAMPTZ(3) NOT NULL,
    "answered_at" TIMESTAMPTZ(3),

    CONSTRAINT "charging_profile_clear_pkey" PRIMARY KEY ("command_id")
);

-- CreateTable
CREATE TABLE "reported_schedule" (
    "station_id" TEXT NOT NULL,
    "connector" INTEGER NOT NULL,
    "command_id" UUID NOT NULL,
    "sent" JSONB NOT NULL,
    "response" JSONB NOT NULL,
    "answered_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "reported_schedule_pkey" PRIMARY KEY ("station_id","connector")
);

-- CreateIndex
CREATE INDEX "charging_profile_station_id_settled_at_idx" ON "charging_profile"("station_id", "settled_at");

-- CreateIndex
CREATE INDEX "charging_profile_station_id_requested_at_idx" ON "charging_profile"("station_id", "requested_at");

-- CreateIndex
CREATE INDEX "charging_profile_clear_station_id_requested_at_idx" ON "charging_profile_clear"("station_id", "requested_at");
