-- AlterTable
ALTER TABLE "station" ADD COLUMN     "tags" TEXT[] DEFAULT ARRAY[]::TEXT[];

-- CreateTable
CREATE TABLE "station_group" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "note" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "station_group_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "station_group_member" (
    "group_id" UUID NOT NULL,
    "station_id" TEXT NOT NULL,

    CONSTRAINT "station_group_member_pkey" PRIMARY KEY ("group_id","station_id")
);

-- CreateIndex
CREATE UNIQUE INDEX "station_group_name_key" ON "station_group"("name");

-- CreateIndex
CREATE INDEX "station_group_member_station_id_idx" ON "station_group_member"("station_id");

-- CreateIndex
CREATE INDEX "station_tags_idx" ON "station" USING GIN ("tags");

-- AddForeignKey
ALTER TABLE "station_group_member" ADD CONSTRAINT "station_group_member_group_id_fkey" FOREIGN KEY ("group_id") REFERENCES "station_group"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "station_group_member" ADD CONSTRAINT "station_group_member_station_id_fkey" FOREIGN KEY ("station_id") REFERENCES "station"("id") ON DELETE CASCADE ON UPDATE CASCADE;
