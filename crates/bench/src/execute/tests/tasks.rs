//! Tasks, as a cluster runs them.

use super::*;

/// A plan as a cluster runs it, whose tasks do not wait.
fn on_a_cluster(tiny: &mut Tiny) -> Plan {
    tiny.experiment.slurm = Some(SlurmOptions {
        settle_seconds: 0.0,
        ..SlurmOptions::default()
    });
    let plan = tiny.plan();
    plan.write().unwrap();
    plan
}

#[test]
fn tasks_say_what_they_did() {
    let mut tiny = Tiny::new(&["a"]);
    let plan = on_a_cluster(&mut tiny);
    let task = |at: usize| run_task(&plan.folder(), at, tiny.context());
    let names: Vec<&str> = plan.tasks.iter().map(|task| task.name.as_str()).collect();
    let jobs: Vec<&str> = plan.jobs.iter().map(|job| job.name.as_str()).collect();
    let Err(BenchError::NotReady { job, needs }) = task(1) else {
        panic!("a task began without what it needs")
    };
    assert_eq!((&*job, &*needs), (names[1], "prepare a"));
    assert!(task(99).unwrap_err().is_wrong_call());
    for (at, name) in names.iter().enumerate() {
        assert_eq!(task(at).unwrap(), 0);
        let notes = tiny.told.take();
        assert_eq!(notes[0], format!("task {name} begins"));
        let last = notes.last().unwrap();
        assert_eq!(*last, format!("job {} is done", jobs[at]));
        // What was encoded stands between.
        let encodes = plan.tasks[at].stage == JobStage::Extract;
        assert_eq!(notes.len(), 2 + usize::from(encodes), "{notes:?}");
        assert_eq!(task(at).unwrap(), 0);
        let again = format!("job {} was done already", jobs[at]);
        assert_eq!(tiny.told.take(), [again]);
    }
    // A fold is lost: its features are there, and are not counted as encoded.
    let [extract, train] =
        ["extract a fbank", "train a fbank"].map(|name| &plan.jobs[at(&plan, name)]);
    let outcome = Receipt::read(&plan, train).unwrap().outputs[0].path.clone();
    std::fs::remove_file(outcome).unwrap();
    Receipt::drop(&plan, extract).unwrap();
    assert_eq!(task(1).unwrap(), 0);
    assert_eq!(tiny.told.take().len(), 2);
}

#[test]
fn a_report_is_written_again_if_another_process_has_scored_again() {
    let mut tiny = Tiny::new(&["a"]);
    let plan = on_a_cluster(&mut tiny);
    let task = |at: usize| run_task(&plan.folder(), at, tiny.context()).unwrap();
    for at in 0..plan.tasks.len() {
        assert_eq!(task(at), 0);
    }
    let mut states = States::of(&plan);
    let before = page(&tiny);
    report_here(&plan, &mut states, tiny.context()).unwrap();
    assert_eq!(page(&tiny), before);
    let score = at(&plan, "score a fbank");
    Receipt::drop(&plan, &plan.jobs[score]).unwrap();
    let of_score = plan.tasks.iter().position(|task| task.jobs == [score]);
    assert_eq!(task(of_score.unwrap()), 0);
    report_here(&plan, &mut states, tiny.context()).unwrap();
    assert_ne!(page(&tiny), before);
}

#[test]
fn tasks_say_what_they_could_not_do() {
    let mut tiny = Tiny::new(&["a"]);
    std::fs::remove_dir_all(tiny.path("a")).unwrap();
    let plan = on_a_cluster(&mut tiny);
    let task = |at: usize| run_task(&plan.folder(), at, tiny.context()).unwrap();
    assert_eq!(task(0), 1);
    let notes = tiny.told.take();
    assert_eq!(notes.last().unwrap(), "job prepare a could not be done");
    assert_eq!(task(1), 1);
    let notes = tiny.told.take();
    assert_eq!(notes, ["job extract a fbank needs prepare a"]);
    // The report is written of whatever there is.
    assert_eq!(task(plan.tasks.len() - 1), 0);
    assert!(tiny.out().join("report.html").exists());
}

#[test]
fn a_task_that_waits_can_be_stopped() {
    let mut tiny = Tiny::new(&["a"]);
    let plan = on_a_cluster(&mut tiny);
    tiny.stop.store(true, Ordering::Relaxed);
    let stopped = run_task(&plan.folder(), 1, tiny.context());
    assert!(matches!(stopped, Err(BenchError::Interrupted)));
}
