//! When jobs run. The tests let tokio's clock run ahead, and the clock of the server follows it.

use crate::support::{NOW, Place, Running, text};
use ooni_api::clock::{Clock, Timestamp};
use ooni_api::job::{JOBS, Job};
use ooni_api::schedule;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, pause, sleep};

const HOUR: Duration = Duration::from_secs(3600);

/// A place with fingerprints in a directory.
fn place() -> Place {
    let mut place = Place::new();
    let header = "name,scope,other_names,location_found,pattern_type,pattern,confidence_no_fp,expected_countries\n";
    let dns = format!("{header}a,isp,,dns,full,1.2.3.4,5,IT\nb,isp,,dns,full,1.2.3.5,5,IT\n");
    let http = format!("{header}c,isp,,body,contains,blocked here,5,IT\nd,isp,,body,contains,not allowed,5,IT\n");
    place.write("lists/fingerprints_dns.csv", dns);
    place.write("lists/fingerprints_http.csv", http);
    place.config.jobs.fingerprints = text(&place.path("lists"));
    place
}

/// A clock that follows tokio's, and that a test can change by seconds.
fn clock() -> (Clock, Arc<AtomicI64>) {
    let (start, change) = (Instant::now(), Arc::new(AtomicI64::new(0)));
    let changed = Arc::clone(&change);
    let clock = Clock::new(move || {
        let micros = NOW as i64 + start.elapsed().as_micros() as i64 + changed.load(Ordering::SeqCst) * 1_000_000;
        Timestamp::from_micros(micros as u64)
    });
    (clock, change)
}

/// A schedule that runs until it is stopped.
struct Scheduled {
    running: Arc<ooni_api::job::Jobs>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Scheduled {
    fn start(running: Running) -> Scheduled {
        let (stop, stopped) = watch::channel(false);
        let jobs = Arc::new(running.jobs);
        Scheduled { task: tokio::spawn(schedule::run(Arc::clone(&jobs), stopped)), running: jobs, stop }
    }

    /// Seconds from the start to the last success.
    fn last(&self) -> Option<i64> {
        let last = self.running.last_success(Job::named("fingerprints").unwrap())?;
        Some(last.seconds() as i64 - (NOW / 1_000_000) as i64)
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap();
    }
}

#[tokio::test]
async fn jobs_run_by_their_intervals() {
    let place = place();
    let (clock, change) = clock();
    // The store is opened before the clock runs ahead.
    let running = place.start_at(clock.clone()).await;
    let again = place.start_at(clock.clone()).await;
    pause();
    let scheduled = Scheduled::start(running);
    sleep(HOUR / 2).await;
    assert_eq!(scheduled.last(), Some(0));
    sleep(HOUR).await;
    let second = scheduled.last().unwrap();
    assert!((3600..=3960).contains(&second), "{second}");
    scheduled.stop().await;
    // A restart does not run a job that is not due.
    let scheduled = Scheduled::start(again);
    sleep(HOUR / 4).await;
    assert_eq!(scheduled.last(), Some(second));
    // A clock that is set back does not delay it for long.
    change.store(-5 * 3600, Ordering::SeqCst);
    sleep(2 * HOUR).await;
    assert_ne!(scheduled.last(), Some(second));
    scheduled.stop().await;
}

#[tokio::test]
async fn a_failed_job_is_retried() {
    let place = place();
    let (clock, _) = clock();
    let running = place.start_at(clock).await;
    let (metrics, list) = (running.metrics.clone(), place.path("lists/fingerprints_dns.csv"));
    let good = std::fs::read(&list).unwrap();
    std::fs::write(&list, "<html>").unwrap();
    pause();
    let scheduled = Scheduled::start(running);
    sleep(HOUR / 2).await;
    assert_eq!(scheduled.last(), None);
    let text = String::from_utf8(metrics.text(&Default::default()).unwrap()).unwrap();
    assert!(text.contains("job_failures_total{job=\"fingerprints\"} 1\n"), "{text}");
    std::fs::write(&list, good).unwrap();
    sleep(HOUR).await;
    assert!(scheduled.last().is_some_and(|last| (3600..=3960).contains(&last)));
    scheduled.stop().await;
}

#[tokio::test]
async fn lists_of_another_process_are_used() {
    let mut place = place();
    let other = place.start().await;
    place.config.jobs.schedule = false;
    let mut running = place.start().await;
    let mut fingerprints = std::mem::replace(&mut running.fingerprints, watch::channel(Arc::default()).1);
    let scheduled = Scheduled::start(running);
    other.run("fingerprints").await.unwrap();
    pause();
    fingerprints.changed().await.unwrap();
    assert_eq!(fingerprints.borrow().dns().len(), 2);
    // Without a schedule, no job runs here; the other process ran it.
    sleep(3 * HOUR).await;
    assert_eq!(scheduled.last(), Some(0));
    scheduled.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_a_job_due() {
    let mut place = place();
    let job = Job::named("fingerprints").unwrap();
    let running = place.start().await;
    assert_eq!(running.jobs.due_in(job, HOUR).await, Duration::ZERO);
    running.run("fingerprints").await.unwrap();
    assert_eq!(running.jobs.due_in(job, HOUR).await, HOUR);
    // Its files are lost.
    std::fs::remove_dir_all(place.config.state_dir.join("fingerprints")).unwrap();
    assert_eq!(running.jobs.due_in(job, HOUR).await, Duration::ZERO);
    running.run("fingerprints").await.unwrap();
    // Its source is another one.
    place.config.jobs.fingerprints.push('/');
    assert_eq!(place.start().await.jobs.due_in(job, HOUR).await, Duration::ZERO);

    let job = Job::named("test-lists").unwrap();
    place.write("test-lists/it.csv", "url,category_code\nhttp://a.org/,NEWS\nhttp://b.org/,NEWS\nhttp://c.org/,NEWS\n");
    place.config.jobs.test_lists = text(&place.path("test-lists"));
    place.run("test-lists").await.unwrap();
    assert_eq!(place.start().await.jobs.due_in(job, HOUR).await, HOUR);
    // The database is another one.
    place.config.store.uri = format!("sqlite:{}", place.path("other.db").display());
    assert_eq!(place.start().await.jobs.due_in(job, HOUR).await, Duration::ZERO);
}

#[test]
fn jobs_have_names_and_sentences() {
    let names: std::collections::BTreeSet<_> = JOBS.iter().map(|job| job.name).collect();
    assert_eq!(names.len(), JOBS.len());
    assert!(JOBS.iter().all(|job| !job.about.ends_with('.') && job.about.len() > 20));
    let unset = ooni_api::config::Config::default();
    let configured: Vec<_> = JOBS.iter().filter(|job| job.is_configured(&unset)).map(|job| job.name).collect();
    assert_eq!(configured, ["counters"]);
}
