-- AlterTable
ALTER TABLE "station" ADD COLUMN     "own_switches" JSONB NOT NULL DEFAULT '{}';

-- What was set before is the station's own.
UPDATE "station" SET "own_switches" = "switches";
