-- AlterTable
ALTER TABLE "reservation" RENAME COLUMN "status" TO "state";

-- RenameIndex
ALTER INDEX "reservation_station_id_status_idx" RENAME TO "reservation_station_id_state_idx";
