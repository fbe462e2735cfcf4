-- Who made a key was kept in the audit log only: those of before are their own.
-- AlterTable
ALTER TABLE "api_key" ADD COLUMN     "owner" TEXT;
UPDATE "api_key" SET "owner" = "id"::text;
ALTER TABLE "api_key" ALTER COLUMN "owner" SET NOT NULL;

-- AlterTable
ALTER TABLE "bulk_command" ADD COLUMN     "owner" TEXT;
UPDATE "bulk_command" SET "owner" = "created_by";
ALTER TABLE "bulk_command" ALTER COLUMN "owner" SET NOT NULL;
