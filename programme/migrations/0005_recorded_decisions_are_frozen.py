"""A recorded decision is frozen in the database too, whoever writes: raw SQL, a queryset, another program."""

from django.db import migrations

# Who decided may be deleted as a person: then her name stays. A decision goes only together with its programme, which
# is known at the end of the transaction alone.
FREEZE = """
CREATE FUNCTION programme_keep_recorded_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.decided_at IS NULL THEN
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - 'decided_by_id' IS DISTINCT FROM to_jsonb(OLD) - 'decided_by_id'
       OR (NEW.decided_by_id IS NOT NULL AND NEW.decided_by_id IS DISTINCT FROM OLD.decided_by_id) THEN
        RAISE EXCEPTION 'the decision % was recorded; a recorded decision does not change', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER recorded_decision_is_not_changed BEFORE UPDATE ON programme_decisionpoint
    FOR EACH ROW EXECUTE FUNCTION programme_keep_recorded_decision();

CREATE FUNCTION programme_keep_decision_of_programme() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM programme_programme WHERE id = OLD.programme_id) THEN
        RAISE EXCEPTION 'the decision % was recorded; it goes only with its programme', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER recorded_decision_is_not_deleted AFTER DELETE ON programme_decisionpoint
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.decided_at IS NOT NULL) EXECUTE FUNCTION programme_keep_decision_of_programme();
"""
THAW = """
DROP TRIGGER recorded_decision_is_not_deleted ON programme_decisionpoint;
DROP TRIGGER recorded_decision_is_not_changed ON programme_decisionpoint;
DROP FUNCTION programme_keep_decision_of_programme();
DROP FUNCTION programme_keep_recorded_decision();
"""


class Migration(migrations.Migration):
    dependencies = [("programme", "0004_report_schedules_and_archive")]
    operations = [migrations.RunSQL(FREEZE, THAW)]
