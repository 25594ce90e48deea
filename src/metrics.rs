//! Every metric, in one list.
//!
//! Counters that belong together are published together, after the commit they describe, under one
//! lock that a scrape takes too: so `onscene_events_unaccounted` compares figures of one moment.

use std::sync::{Mutex, PoisonError};

use prometheus::{
    Counter, Encoder as _, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter,
    IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// Every metric there is.
pub struct Metrics {
    registry: Registry,
    together: Mutex<()>,
    /// `onscene_events_received_total{source,kind}`
    pub events_received: IntCounterVec,
    /// `onscene_events_total{source,outcome}`
    pub events: IntCounterVec,
    unaccounted: IntGauge,
    /// `onscene_refused_total{source,reason}`
    pub refused: IntCounterVec,
    /// `onscene_ingest_seconds`
    pub ingest: Histogram,
    /// `onscene_commit_batch_size`
    pub batch_size: Histogram,
    /// `onscene_incidents{state,severity,drill}`
    pub incidents: IntGaugeVec,
    /// `onscene_alerts_suppressed{by}`
    pub alerts_suppressed: IntGaugeVec,
    /// `onscene_incidents_opened_total{service,severity}`
    pub incidents_opened: IntCounterVec,
    /// `onscene_incidents_resolved_total{service,resolution}`
    pub incidents_resolved: IntCounterVec,
    /// `onscene_pages_total{person}`
    pub pages: IntCounterVec,
    /// `onscene_acknowledge_seconds`
    pub acknowledge: Histogram,
    /// `onscene_mitigate_seconds`
    pub mitigate: Histogram,
    /// `onscene_resolve_seconds{severity}`
    pub resolve: HistogramVec,
    /// `onscene_pages_sent_total{way,outcome}`
    pub pages_sent: IntCounterVec,
    /// `onscene_page_latency_seconds`
    pub page_latency: Histogram,
    /// `onscene_escalations_total{policy,step}`
    pub escalations: IntCounterVec,
    /// `onscene_deliveries_pending{channel}`
    pub deliveries_pending: IntGaugeVec,
    /// `onscene_delivery_attempts_total{channel,outcome}`
    pub delivery_attempts: IntCounterVec,
    /// `onscene_delivery_oldest_seconds{channel}`
    pub delivery_oldest: GaugeVec,
    /// `onscene_channel_paused{channel}`
    pub channel_paused: IntGaugeVec,
    /// `onscene_statement_overdue{audience}`
    pub statement_overdue: IntGaugeVec,
    /// `onscene_statements_total{audience,sort}`
    pub statements: IntCounterVec,
    /// `onscene_statements_missed_total{audience}`
    pub statements_missed: IntCounterVec,
    /// `onscene_commands_total{reason}`
    pub commands: IntCounterVec,
    /// `onscene_heartbeat_missing{name}`
    pub heartbeat_missing: IntGaugeVec,
    /// `onscene_oncall_gap_seconds{rotation}`
    pub oncall_gap: IntGaugeVec,
    /// How many did not answer the last delivery drill.
    pub drill_missed: IntGauge,
    /// When the last delivery drill of a week was over.
    pub drill_at: Gauge,
    /// `onscene_deadline_lateness_seconds`
    pub deadline_lateness: Histogram,
    /// `onscene_public_connections`
    pub public_connections: IntGauge,
    /// `onscene_http_connections`
    pub connections: IntGauge,
    /// `onscene_timeline_followers`
    pub followers: IntGauge,
    /// `onscene_store_up`
    pub store_up: IntGauge,
    /// `onscene_config_hash`
    pub config_hash: Gauge,
    /// `onscene_spool_bytes`
    pub spool_bytes: IntGauge,
    /// `onscene_spooled_total`
    pub spooled: IntCounter,
    /// `onscene_spool_put_aside_total`
    pub put_aside: IntCounter,
    /// `onscene_mirror_age_seconds`
    pub mirror_age: Gauge,
    /// `onscene_calendar_age_seconds{rotation}`
    pub calendar_age: GaugeVec,
    /// `onscene_config_last_reload_success`
    pub reload_success: IntGauge,
    process: Process,
}

/// Figures of the process, from `/proc`.
struct Process {
    cpu: Counter,
    resident: IntGauge,
    open_files: IntGauge,
    open_files_max: IntGauge,
    started: Gauge,
}

/// Buckets for waits of people: seconds to hours.
const HUMAN: &[f64] = &[10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0, 86400.0];
/// Buckets for waits of machines: tenths of a millisecond to half a minute.
const MACHINE: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
const SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

impl Metrics {
    /// When the process began.
    pub fn started_at(&self) -> jiff::Timestamp {
        #[allow(clippy::cast_possible_truncation, reason = "an hour of this century in milliseconds")]
        let millisecond = (self.process.started.get() * 1000.0) as i64;
        jiff::Timestamp::from_millisecond(millisecond).unwrap_or_default()
    }

    /// Registers every metric. `started` is the hour the process began, in seconds since 1970.
    ///
    /// # Errors
    /// When two metrics have the same name: a fault of ours, found by every test.
    #[allow(clippy::too_many_lines, reason = "one list, on purpose")]
    pub fn new(started: f64) -> Result<Self, prometheus::Error> {
        let r = Registry::new();
        let build = int_gauges(&r, "onscene_build_info", "The version that runs.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let process = Process {
            cpu: counter(&r, "process_cpu_seconds_total", "CPU time used, in seconds.")?,
            resident: int_gauge(&r, "process_resident_memory_bytes", "Resident memory.")?,
            open_files: int_gauge(&r, "process_open_fds", "Open file descriptors.")?,
            open_files_max: int_gauge(&r, "process_max_fds", "Most file descriptors that may be open.")?,
            started: gauge(
                &r,
                "process_start_time_seconds",
                "When the process began, in seconds since 1970.",
            )?,
        };
        process.started.set(started);
        Ok(Self {
            together: Mutex::new(()),
            events_received: counters(
                &r,
                "onscene_events_received_total",
                "Events received and committed, by source and its kind.",
                &["source", "kind"],
            )?,
            events: counters(&r, "onscene_events_total", "What became of events.", &["source", "outcome"])?,
            unaccounted: int_gauge(
                &r,
                "onscene_events_unaccounted",
                "Events received that have no outcome. Anything but 0 is a fault of onscene.",
            )?,
            refused: counters(
                &r,
                "onscene_refused_total",
                "Deliveries that were not believed, by source and reason.",
                &["source", "reason"],
            )?,
            ingest: histogram(
                &r,
                "onscene_ingest_seconds",
                "First byte of a delivery to its answer.",
                MACHINE,
            )?,
            batch_size: histogram(
                &r,
                "onscene_commit_batch_size",
                "Commands that shared one commit.",
                SIZES,
            )?,
            incidents: int_gauges(
                &r,
                "onscene_incidents",
                "Incidents that are not over.",
                &["state", "severity", "drill"],
            )?,
            alerts_suppressed: int_gauges(
                &r,
                "onscene_alerts_suppressed",
                "Alerts that fire and wake nobody, by what holds them back.",
                &["by"],
            )?,
            incidents_opened: counters(
                &r,
                "onscene_incidents_opened_total",
                "Incidents opened.",
                &["service", "severity"],
            )?,
            incidents_resolved: counters(
                &r,
                "onscene_incidents_resolved_total",
                "Incidents that ended, by the service that led and how they ended.",
                &["service", "resolution"],
            )?,
            pages: counters(
                &r,
                "onscene_pages_total",
                "Pages that were decided on, by whom they wake.",
                &["person"],
            )?,
            acknowledge: histogram(
                &r,
                "onscene_acknowledge_seconds",
                "Opening to the first Commander.",
                HUMAN,
            )?,
            mitigate: histogram(&r, "onscene_mitigate_seconds", "Opening to the end of the harm.", HUMAN)?,
            resolve: histograms(
                &r,
                "onscene_resolve_seconds",
                "Opening to resolution.",
                HUMAN,
                &["severity"],
            )?,
            pages_sent: counters(
                &r,
                "onscene_pages_sent_total",
                "Pages, by way and final or passing outcome.",
                &["way", "outcome"],
            )?,
            page_latency: histogram(
                &r,
                "onscene_page_latency_seconds",
                "Event received to its first page handed over.",
                MACHINE,
            )?,
            escalations: counters(
                &r,
                "onscene_escalations_total",
                "Steps of escalation policies that were taken.",
                &["policy", "step"],
            )?,
            deliveries_pending: int_gauges(
                &r,
                "onscene_deliveries_pending",
                "Letters waiting to be delivered.",
                &["channel"],
            )?,
            delivery_attempts: counters(
                &r,
                "onscene_delivery_attempts_total",
                "Attempts to deliver, by outcome.",
                &["channel", "outcome"],
            )?,
            delivery_oldest: gauges(
                &r,
                "onscene_delivery_oldest_seconds",
                "Age of the oldest letter waiting.",
                &["channel"],
            )?,
            channel_paused: int_gauges(
                &r,
                "onscene_channel_paused",
                "Whether a channel refused its last letter for a reason that concerns every letter.",
                &["channel"],
            )?,
            statement_overdue: int_gauges(
                &r,
                "onscene_statement_overdue",
                "Incidents of which an audience was promised an update that has not come in its time.",
                &["audience"],
            )?,
            statements: counters(
                &r,
                "onscene_statements_total",
                "Statements that went out.",
                &["audience", "sort"],
            )?,
            statements_missed: counters(
                &r,
                "onscene_statements_missed_total",
                "Updates that did not come in the time that was promised for them.",
                &["audience"],
            )?,
            commands: counters(&r, "onscene_commands_total", "Changes of command, by reason.", &["reason"])?,
            heartbeat_missing: int_gauges(
                &r,
                "onscene_heartbeat_missing",
                "Whether a heartbeat is missing.",
                &["name"],
            )?,
            oncall_gap: int_gauges(
                &r,
                "onscene_oncall_gap_seconds",
                "Until nobody is on call, where that is within two weeks.",
                &["rotation"],
            )?,
            drill_missed: int_gauge(
                &r,
                "onscene_delivery_drill_missed",
                "How many people did not answer the last delivery drill that is over.",
            )?,
            drill_at: gauge(
                &r,
                "onscene_delivery_drill_timestamp_seconds",
                "When the last delivery drill of a week was over, in seconds since 1970; 0 when there is to be none, or was none yet.",
            )?,
            deadline_lateness: histogram(
                &r,
                "onscene_deadline_lateness_seconds",
                "How late deadlines were met.",
                MACHINE,
            )?,
            public_connections: int_gauge(
                &r,
                "onscene_public_connections",
                "Open connections of readers of the public page.",
            )?,
            connections: int_gauge(&r, "onscene_http_connections", "Open connections.")?,
            followers: int_gauge(&r, "onscene_timeline_followers", "Streams of timelines that are open.")?,
            config_hash: gauge(
                &r,
                "onscene_config_hash",
                "A number made of the configuration: nodes that differ in it run with different ones.",
            )?,
            spool_bytes: int_gauge(
                &r,
                "onscene_spool_bytes",
                "Bytes of deliveries held on this machine until a shared store is back.",
            )?,
            spooled: int_counter(
                &r,
                "onscene_spooled_total",
                "Deliveries that were held on this machine because a shared store was away.",
            )?,
            put_aside: int_counter(
                &r,
                "onscene_spool_put_aside_total",
                "Deliveries that were held and that the store did not take; they lie in a file beside the spool.",
            )?,
            mirror_age: gauge(
                &r,
                "onscene_mirror_age_seconds",
                "Since a shared store was last copied for pages to show while it is away; since the start, when it never was.",
            )?,
            calendar_age: gauges(
                &r,
                "onscene_calendar_age_seconds",
                "Since the calendar of a rotation was last read well; since the start, when it never was.",
                &["rotation"],
            )?,
            store_up: int_gauge(&r, "onscene_store_up", "Whether the store takes writes.")?,
            reload_success: int_gauge(
                &r,
                "onscene_config_last_reload_success",
                "Whether the last reading of the configuration was taken.",
            )?,
            process,
            registry: r,
        })
    }

    /// Publishes what one commit did, as one.
    pub fn publish(&self, counts: impl FnOnce(&Self)) {
        let _one = self.together.lock().unwrap_or_else(PoisonError::into_inner);
        counts(self);
    }

    /// Everything in the text format of Prometheus.
    ///
    /// # Errors
    /// When the encoder fails: a fault of ours.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        self.process.read();
        let families = {
            let _one = self.together.lock().unwrap_or_else(PoisonError::into_inner);
            self.unaccounted.set(sum(&self.events_received).saturating_sub(sum(&self.events)));
            self.registry.gather()
        };
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

impl Process {
    /// Linux counts CPU time in hundredths of a second (`getconf CLK_TCK`), whatever the kernel's own tick.
    const TICKS_PER_S: f64 = 100.0;

    fn read(&self) {
        if let Ok(stat) = std::fs::read_to_string("/proc/self/stat") {
            // The second field is the name in parentheses, which may hold anything.
            let fields: Vec<&str> =
                stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
            let number = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
            if let (Some(user), Some(system)) = (number(11), number(12)) {
                self.cpu.inc_by(((user + system) / Self::TICKS_PER_S - self.cpu.get()).max(0.0));
            }
        }
        if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<i64>().ok());
            self.resident.set(kib.unwrap_or(0).saturating_mul(1024));
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            self.open_files.set(i64::try_from(open.count()).unwrap_or(i64::MAX));
        }
        if let Ok(limits) = std::fs::read_to_string("/proc/self/limits") {
            let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
            let soft =
                line.and_then(|line| line.split_whitespace().next()).and_then(|soft| soft.parse().ok());
            self.open_files_max.set(soft.unwrap_or(-1));
        }
    }
}

fn sum(counters: &IntCounterVec) -> i64 {
    use prometheus::core::Collector as _;
    let families = counters.collect();
    let values = families
        .iter()
        .flat_map(|family| family.get_metric().iter().map(|one| one.get_counter().get_value()));
    #[allow(clippy::cast_possible_truncation, reason = "counters stay far below 2^53")]
    let total = values.sum::<f64>() as i64;
    total
}

fn counters(
    r: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    let metric = IntCounterVec::new(Opts::new(name, help), labels)?;
    r.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn int_gauges(
    r: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntGaugeVec, prometheus::Error> {
    let metric = IntGaugeVec::new(Opts::new(name, help), labels)?;
    r.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn gauges(r: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, prometheus::Error> {
    let metric = GaugeVec::new(Opts::new(name, help), labels)?;
    r.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn int_counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    let counter = IntCounter::new(name, help)?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

fn int_gauge(r: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    let metric = IntGauge::new(name, help)?;
    r.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn gauge(r: &Registry, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
    let metric = Gauge::new(name, help)?;
    r.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counter(r: &Registry, name: &str, help: &str) -> Result<Counter, prometheus::Error> {
    let metric = Counter::new(name, help)?;
    r.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn histogram(r: &Registry, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, prometheus::Error> {
    let metric = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?;
    r.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn histograms(
    r: &Registry,
    name: &str,
    help: &str,
    buckets: &[f64],
    labels: &[&str],
) -> Result<HistogramVec, prometheus::Error> {
    let metric = HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)?;
    r.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_without_an_outcome_shows() {
        let metrics = Metrics::new(0.0).unwrap();
        metrics.publish(|all| {
            all.events_received.with_label_values(&["pingdom", "pingdom"]).inc_by(3);
            all.events.with_label_values(&["pingdom", "opened"]).inc_by(2);
        });
        assert!(metrics.text().unwrap().contains("onscene_events_unaccounted 1\n"));
        metrics.publish(|all| all.events.with_label_values(&["pingdom", "joined"]).inc());
        let text = metrics.text().unwrap();
        assert!(text.contains("onscene_events_unaccounted 0\n"), "{text}");
        assert!(text.contains("process_resident_memory_bytes"), "{text}");
    }
}
