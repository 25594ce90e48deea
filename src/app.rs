//! Builds everything, starts it, watches it, and stops it: the only spawner.
//!
//! Started: one thread that commits; tasks for the listener, the deadlines, the delivery, the copying of a shared
//! store, the housekeeping and the watchdog. One that ends early stops the process with an error, and the service
//! manager starts it again.
//!
//! Stopped by SIGTERM or SIGINT: `/readyz` says 503, nobody is accepted any more, requests under way
//! are finished, then the letters in hand, then the store is closed. SIGHUP reads the configuration
//! again: whole, or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::channels::client::Client;
use crate::clock::{Beat, Clock};
use crate::commit::spool::Spool;
use crate::commit::{self, Command, Committer, Door, Reply, Wakes};
use crate::config::{self, Config, Listen, Server, gaps};
use crate::deadlines::{Deadlines, Filling, HeardSince, Rush};
use crate::deliver::Delivery;
use crate::emergency::Emergency;
use crate::feeds::{Feeds, Last};
use crate::house::{Current, House};
use crate::http::accept::{self, Meters};
use crate::http::desk::{Desk, Tools};
use crate::http::html::Pages;
use crate::http::limits::Limits;
use crate::http::listen::{Address, HandedOver, Listener};
use crate::http::public;
use crate::http::refused::Refusals;
use crate::http::router::router;
use crate::http::sns::Sns;
use crate::http::subscribe::{self, Subscriptions};
use crate::http::tls::Tls;
use crate::mailing::Mailing;
use crate::metrics::Metrics;
use crate::mirror::Copier;
use crate::presence::Presence;
use crate::public::Newest;
use crate::publisher::{self, Publisher};
use crate::store::mirror::Mirror;
use crate::store::readers::Readers;
use crate::store::sight::Sight;
use crate::store::{Connection, Place};
use crate::watch::{LOOK_EVERY, LOOK_EVERY_SHARED, Looker, Watch};

/// Old things are forgotten this often.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(600);
/// For the first time so long after a start: what an older version wrote cannot be found until then.
const HOUSEKEEPING_FIRST: Duration = Duration::from_secs(10);
/// Between two rounds while there is more to forget.
const HOUSEKEEPING_PAUSE: Duration = Duration::from_millis(200);
/// Room for bodies whose signature is not known to be good yet, in KiB: strangers get no more than this.
const UNPROVEN_KIB_MAX: usize = 8 * 1024;
/// Room for bodies that are being read or wait for the disk, in KiB.
const BODIES_KIB_MAX: usize = 64 * 1024;
/// A worker that gave no sign of life for this long hangs: the watchdog is not fed. A step that waits for a
/// store that is slow to answer ends before this.
const HANGS: Duration = Duration::from_secs(45);
/// The watchdog is fed at least this often, where there is one.
const WATCHDOG_EVERY_MAX: Duration = Duration::from_secs(10);
/// What the thread that commits is called when it ends early.
const COMMITTER: &str = "the thread that commits";
/// For the thread that commits to finish what it has.
const COMMITTER_END: Duration = Duration::from_secs(10);

/// Why the daemon did not start or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The store cannot be opened.
    #[error("the store {place} cannot be opened: {error}")]
    Store {
        /// Which file.
        place: String,
        /// Why.
        error: crate::store::StoreError,
    },
    /// Nobody can listen there.
    #[error(transparent)]
    Listen(#[from] crate::http::listen::ListenProblem),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] crate::http::tls::TlsProblem),
    /// The system refuses.
    #[error("the system refuses: {0}")]
    System(#[from] std::io::Error),
    /// A fault of ours.
    #[error("an inner fault: {0}")]
    Inner(String),
    /// Something that runs for ever did not.
    #[error("{0} ended early; stopping, so that the service manager starts everything again")]
    Ended(&'static str),
}

/// How the configuration is read again.
pub type Reload = Box<dyn Fn() -> Result<(Config, House), String> + Send + Sync>;

/// What the daemon is made of before it runs.
pub struct Parts {
    /// What the operator wrote.
    pub config: Config,
    /// The same, built.
    pub house: House,
    /// Sockets handed over by the service manager.
    pub sockets: Vec<HandedOver>,
    /// The newest files of the public page, which the house hands to its channels.
    pub newest: Newest,
    /// How it is read again.
    pub reload: Reload,
    /// Called when alerts can be accepted, with the address.
    pub ready: Box<dyn FnOnce(&Address) + Send>,
}

struct Running {
    house: Arc<Current>,
    tls: Option<Arc<Tls>>,
    metrics: Arc<Metrics>,
    clock: Clock,
    reload: Reload,
    /// As it was at the start.
    server: Server,
    store: config::Store,
    place: Place,
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// When it cannot start, or when a part of it ends early.
pub async fn run(parts: Parts, clock: Clock) -> Result<(), AppError> {
    let Parts { config, house, mut sockets, newest, reload, ready } = parts;
    let began = clock.now();
    #[allow(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
    let metrics =
        Metrics::new(began.as_second() as f64).map_err(|error| AppError::Inner(error.to_string()))?;
    let metrics = Arc::new(metrics);
    metrics.reload_success.set(1);
    let pages = Pages::new().map_err(|error| AppError::Inner(error.to_string()))?;
    let tls = match &config.server.tls {
        Some(files) => Some(Arc::new(Tls::load(&files.certificate, &files.key, began)?)),
        None => None,
    };
    let place = crate::house::place(&config).map_err(AppError::Inner)?;
    let house = Arc::new(Current::new(house));
    let wakes = Wakes::default();
    let mirror = mirror(&config, &place, &clock);
    let opening = {
        let kept = mirror.clone();
        let (place, clock, house) = (place.clone(), clock.clone(), house.clone());
        let (metrics, wakes, queue_max) = (metrics.clone(), wakes.clone(), config.server.queue_max);
        let spool = match &config.store.database {
            config::Database::Postgres { spool: Some((directory, bytes_max)), .. } => {
                Some(Spool::open(directory, *bytes_max).map_err(|error| AppError::Inner(error.to_string()))?)
            }
            _ => None,
        };
        move || {
            let wrong = |error| AppError::Store { place: place.to_string(), error };
            let connection = match Connection::writer(&place, &clock) {
                // A node that starts while the store is away hears all the same.
                Err(error) if spool.is_some() && error.is_away() => {
                    tracing::error!(%error, "the store is away; starting without it");
                    Connection::later(&place, &clock).map_err(wrong)?
                }
                other => other.map_err(wrong)?,
            };
            if let Some(Err(error)) = kept.as_deref().map(Mirror::open) {
                tracing::error!(%error, "the last known state of the store cannot be opened");
            }
            Ok::<_, AppError>(commit::door(
                commit::Room { queue_max, spool },
                connection,
                place,
                clock,
                house,
                metrics,
                wakes,
            ))
        }
    };
    // It waits for a disk or a server, which no thread of the others may do.
    let opened = tokio::task::spawn_blocking(opening).await;
    let (door, committer) = opened.map_err(|error| AppError::Inner(error.to_string()))??;
    let public_listener = public_listener(&config, &mut sockets)?;
    let listener = listener(&config, sockets)?;
    let address = listener.address()?;
    let readers = Readers::new(place.clone(), clock.clone());
    let heard_since = Arc::new(HeardSince::now(&clock, &house.get()));
    let presence =
        Presence::new(&config, &address, door.clone(), house.clone(), clock.clone(), heard_since.clone())
            .map_err(|error| AppError::Inner(error.to_string()))?;

    let stopping = Arc::new(AtomicBool::new(false));
    let limits = limits(&config);
    let (stop_http, stop_work) = (CancellationToken::new(), CancellationToken::new());
    // Whoever hears that it is ready may tell it to stop or to read again at once.
    let signals = Signals::heard()?;
    // From here on things run. Each worker has its own way to stop, because they stop in an order.
    let beats = [committer.beat.clone(), Beat::new(&clock)];
    let (mut committer_ended, holder_ended) = start_committer(committer)?;
    let mut workers: JoinSet<&'static str> = JoinSet::new();
    if let Some(ended) = holder_ended {
        let stop = stop_work.clone();
        spawn(&mut workers, "the thread that holds", async move {
            tokio::select! { _ = ended => {} () = stop.cancelled() => {} }
        });
    }
    // Who looks at much must not keep those waiting who wake people.
    let workers_readers = Readers::new(place.clone(), clock.clone());
    let rush = Rush::default();
    let deadlines = Deadlines {
        door: door.clone(),
        readers: workers_readers.clone(),
        house: house.clone(),
        clock: clock.clone(),
        metrics: metrics.clone(),
        wake: wakes.deadlines.clone(),
        beat: beats[1].clone(),
        heard_since,
        node: presence.id.clone(),
        filling: Filling::default(),
        rush: rush.clone(),
    };
    let delivery = Delivery {
        door: door.clone(),
        readers: workers_readers.clone(),
        house: house.clone(),
        clock: clock.clone(),
        metrics: metrics.clone(),
        wake: wakes.letters.clone(),
        rush,
        paused: Default::default(),
    };
    // Who follows a timeline ends with the requests.
    let followed = Sight::new(Readers::new(place.clone(), clock.clone()), mirror.clone());
    let watch = Watch::new(followed, stop_http.clone());
    let every = match place {
        Place::Sqlite(_) => LOOK_EVERY,
        Place::Postgres(_) => LOOK_EVERY_SHARED,
    };
    let looker = Looker { watch: watch.clone(), wake: wakes.entries.clone(), every };
    let (meters, public_meters) = (Meters::default(), Meters::default());
    let (whispers, whisperer) = crate::http::desk::whispers(Client::new(None).map_err(AppError::Inner)?);
    let desk = Desk::from(Tools {
        door: door.clone(),
        sight: Sight::new(readers, mirror.clone()),
        house: house.clone(),
        clock: clock.clone(),
        metrics: metrics.clone(),
        limits: Arc::new(limits.clone()),
        stopping: stopping.clone(),
        presses: crate::http::desk::Presses::default(),
        taps: crate::http::desk::Taps::default(),
        asks: crate::http::desk::Asks::default(),
        refusals: Refusals::default(),
        meters: meters.clone(),
        public_meters: public_meters.clone(),
        whispers,
        watch: watch.clone(),
        sns: Sns::new(Client::new(None).map_err(AppError::Inner)?),
        bodies: Arc::new(tokio::sync::Semaphore::new(BODIES_KIB_MAX.max(limits.body_max / 1024 + 1))),
        unproven: Arc::new(tokio::sync::Semaphore::new(UNPROVEN_KIB_MAX.max(limits.body_max / 1024 + 1))),
    });
    spawn(&mut workers, "the deadlines", deadlines.run(stop_work.clone()));
    spawn(&mut workers, "the following of timelines", looker.run(stop_work.clone()));
    spawn(&mut workers, "the delivery", delivery.run(stop_work.clone()));
    if let Some(mirror) = mirror {
        let copier = Copier::new(Readers::new(place.clone(), clock.clone()), mirror);
        spawn(&mut workers, "the mirror", copier.run(stop_work.clone()));
    }
    spawn(&mut workers, "the words to people in chats", whisperer.run(stop_work.clone()));
    spawn(&mut workers, "the housekeeping", housekeeping(door.clone(), stop_work.clone()));
    spawn(&mut workers, "the presence", presence.run(metrics.clone(), stop_work.clone()));
    let calendars = Arc::new(Last::default());
    let client = Client::new(None).map_err(AppError::Inner)?;
    let feeds = Feeds::new(door.clone(), house.clone(), clock.clone(), client, calendars.clone());
    spawn(&mut workers, "the calendars", feeds.run(stop_work.clone()));
    let emergency = Emergency {
        away: door.away().clone(),
        house: house.clone(),
        clock: clock.clone(),
        node: config.server.external_url.clone(),
        calendars,
        sight: desk.sight.clone(),
    };
    spawn(&mut workers, "the emergency mail", emergency.run(stop_work.clone()));
    let mailing = Mailing { door: door.clone(), readers: Readers::new(place.clone(), clock.clone()) };
    spawn(&mut workers, "the letters to subscribers", mailing.run(stop_work.clone()));
    spawn(&mut workers, "the watchdog", watchdog(beats, stop_work.clone()));
    let publisher = Publisher::new(newest.clone(), beside(&config));
    publisher.take_up();
    spawn(
        &mut workers,
        "the public page",
        publisher.run(workers_readers.clone(), house.clone(), stop_work.clone()),
    );
    let copying = publisher::copy(newest.clone(), house.clone(), clock.clone(), stop_work.clone());
    spawn(&mut workers, "the copies of the public page", copying);
    // Anybody may make these read: nobody who is to be woken waits behind them.
    let subscription_readers = Readers::new(place.clone(), clock.clone());
    let mut serving = JoinSet::new();
    if let Some(listener) = public_listener {
        let own = public::limits(&limits, config.server.public_connections_max);
        let (http_tls, http_stop) = (tls.clone(), stop_http.clone());
        let subscriptions = Subscriptions {
            door: door.clone(),
            house: house.clone(),
            pages: pages.clone(),
            clock: clock.clone(),
            readers: subscription_readers,
            body_timeout: own.body_timeout,
            asks: Arc::new(crate::http::desk::Asks::default()),
        };
        tracing::info!(listen = %listener.address()?, "the public page is handed out");
        serving.spawn(async move {
            let tracker = TaskTracker::new();
            let app = public::router(newest).merge(subscribe::routes(subscriptions));
            accept::serve(listener, http_tls, app, own, &tracker, http_stop, public_meters).await;
            tracker.close();
        });
    }
    let (http_tls, http_stop) = (tls.clone(), stop_http.clone());
    serving.spawn(async move {
        let tracker = TaskTracker::new();
        let app = router(desk, pages);
        accept::serve(listener, http_tls, app, limits, &tracker, http_stop, meters).await;
        tracker.close();
    });
    let config::Config { server, store, .. } = config;
    let running = Running { house, tls, metrics, clock, reload, server, store, place };
    ready(&address);
    tracing::info!(listen = %address, "ready");
    notify(&[NotifyState::Ready]);

    let ended = tokio::select! {
        () = signals.tell_to_stop(&running) => None,
        Some(which) = workers.join_next() => Some(which.unwrap_or("a worker")),
        _ = serving.join_next() => Some("the listener"),
        _ = &mut committer_ended => Some(COMMITTER),
    };
    tracing::info!("stopping");
    notify(&[NotifyState::Stopping]);
    stopping.store(true, Ordering::Release);
    stop_http.cancel();
    while serving.join_next().await.is_some() {}
    stop_work.cancel();
    while workers.join_next().await.is_some() {}
    drop(door);
    // Every other side of the door is gone with its worker: the thread ends, and the store is closed.
    if ended != Some(COMMITTER) && tokio::time::timeout(COMMITTER_END, committer_ended).await.is_err() {
        tracing::warn!("the store was not closed in time; it is whole all the same");
    }
    if let Some(which) = ended {
        return Err(AppError::Ended(which));
    }
    tracing::info!("stopped");
    Ok(())
}

fn spawn(
    workers: &mut JoinSet<&'static str>,
    name: &'static str,
    work: impl Future<Output = ()> + Send + 'static,
) {
    workers.spawn(async move {
        work.await;
        name
    });
}

/// Resolves when a thread has ended, however it ended.
type WhenEnded = tokio::sync::oneshot::Receiver<()>;

/// Starts the thread that commits and, where deliveries can be held, the one that holds them.
fn start_committer(mut committer: Committer) -> Result<(WhenEnded, Option<WhenEnded>), AppError> {
    let (ended, when_ended) = tokio::sync::oneshot::channel();
    let holder_ended = match committer.holder() {
        None => None,
        Some(holder) => {
            let (ended, when_ended) = tokio::sync::oneshot::channel();
            std::thread::Builder::new().name("hold".into()).spawn(move || {
                // It ends with the other, a moment later.
                while holder.step() {}
                drop(ended);
            })?;
            Some(when_ended)
        }
    };
    std::thread::Builder::new().name("commit".into()).spawn(move || {
        while committer.step() {}
        // Dropping the store here checkpoints it; who waits for that knows then.
        drop(committer);
        drop(ended);
    })?;
    Ok((when_ended, holder_ended))
}

/// Where what was last known of a shared store is kept, beside the deliveries that are held for it.
fn mirror(config: &Config, place: &Place, clock: &Clock) -> Option<Arc<Mirror>> {
    match (&config.store.database, place) {
        (config::Database::Postgres { spool: Some((directory, _)), .. }, Place::Postgres(server)) => {
            Some(Arc::new(Mirror::new(directory, server.address_hash(), clock)))
        }
        _ => None,
    }
}

/// Where the last public page is kept: beside the store, or beside the deliveries that are held for a shared one.
fn beside(config: &Config) -> Option<std::path::PathBuf> {
    let directory = match &config.store.database {
        config::Database::Sqlite(path) => path.parent()?.to_path_buf(),
        config::Database::Postgres { spool, .. } => spool.as_ref()?.0.clone(),
    };
    Some(directory.join("public"))
}

/// The socket named `public` of the service manager, or one of our own, when the public page is to be handed out.
fn public_listener(config: &Config, sockets: &mut Vec<HandedOver>) -> Result<Option<Listener>, AppError> {
    if let Some(place) = sockets.iter().position(|socket| socket.name == "public") {
        return Ok(Some(sockets.remove(place).open()?));
    }
    let address = match &config.server.public_listen {
        Some(Listen::Tcp(address)) => Address::Tcp(*address),
        Some(Listen::Unix(path)) => Address::Unix(path.clone()),
        None => return Ok(None),
    };
    Ok(Some(Listener::bind(&address)?))
}

fn listener(config: &Config, sockets: Vec<HandedOver>) -> Result<Listener, AppError> {
    let count = sockets.len();
    if let Some(socket) = sockets.into_iter().next() {
        if count > 1 {
            tracing::warn!(count, "the service manager handed over several sockets; only the first is used");
        }
        return Ok(socket.open()?);
    }
    let address = match &config.server.listen {
        Listen::Tcp(address) => Address::Tcp(*address),
        Listen::Unix(path) => Address::Unix(path.clone()),
    };
    Ok(Listener::bind(&address)?)
}

fn limits(config: &Config) -> Limits {
    let server = &config.server;
    Limits {
        connections_max: server.connections_max,
        body_max: server.body_max,
        header_timeout: server.header_timeout,
        body_timeout: server.body_timeout,
        idle_timeout: server.idle_timeout,
        answer_after: server.answer_after,
        ..Limits::default()
    }
}

/// What the service manager says, from the moment when it is listened for; until then a signal ends the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn heard() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Ends when it is time to stop; reads the configuration again when asked to.
    async fn tell_to_stop(mut self, running: &Running) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => running.read_again(),
            }
        }
    }
}

impl Running {
    fn read_again(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => notify(&[NotifyState::Reloading, now]),
            Err(_) => notify(&[NotifyState::Reloading]),
        }
        let read = (self.reload)().and_then(|(config, house)| {
            // There is something better to go on with: the one in use. At a start there is not.
            let gaps = gaps::new_errors(&config, &self.house.get().rules, self.clock.now());
            if !gaps.is_empty() {
                return Err(gaps.join("; "));
            }
            if let Some(tls) = &self.tls {
                tls.reload(self.clock.now()).map_err(|error| error.to_string())?;
            }
            Ok((config, house))
        });
        match read {
            Ok((config, house)) => {
                let waiting = config.waits_for_restart(&self.server, &self.store);
                if !waiting.is_empty() {
                    let keys = waiting.join(", ");
                    tracing::warn!(keys, "these keys change by a restart only; they stay as they were");
                }
                if let (Place::Postgres(server), config::Database::Postgres { password, .. }) =
                    (&self.place, config.store.database)
                    && !waiting.contains(&"store.url")
                {
                    server.log_in_with(password);
                }
                self.house.swap(house);
                self.metrics.reload_success.set(1);
                tracing::info!("the configuration was read again and is in use");
            }
            Err(error) => {
                self.metrics.reload_success.set(0);
                tracing::error!(%error, "the configuration was read again and not taken; the old one stays in use");
            }
        }
        notify(&[NotifyState::Ready]);
    }
}

async fn housekeeping(door: Door, stop: CancellationToken) {
    let mut wait = HOUSEKEEPING_FIRST;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        // A little at a time, so that alerts pass between.
        wait = match door.ask(Command::Forget).await {
            Ok(Reply::Forgotten { more: true }) => HOUSEKEEPING_PAUSE,
            Ok(_) => HOUSEKEEPING_EVERY,
            Err(error) => {
                tracing::warn!(%error, "old things could not be forgotten; trying again later");
                HOUSEKEEPING_EVERY
            }
        };
    }
}

/// Fed as long as the thread that commits and the deadlines turn. That the store takes no writes is no reason
/// to be started again: it would not take them afterwards either, and `/readyz` and the metrics tell of it.
async fn watchdog(beats: [Beat; 2], stop: CancellationToken) {
    let every = sd_notify::watchdog_enabled().map_or(WATCHDOG_EVERY_MAX, |limit| limit / 3);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every.min(WATCHDOG_EVERY_MAX)) => {}
        }
        let [commit, deadlines] = beats.each_ref().map(Beat::age);
        if commit.max(deadlines) < HANGS {
            notify(&[NotifyState::Watchdog]);
        } else {
            let (commit_s, deadlines_s) = (commit.as_secs(), deadlines.as_secs());
            tracing::error!(commit_s, deadlines_s, "a worker hangs; the watchdog is not fed");
        }
    }
}

/// Tells the service manager, where there is one.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

/// How long a stop may take, for the unit file: requests, letters, store.
pub const STOP_MAX: Duration =
    Duration::from_secs(10 + crate::deliver::DRAIN.as_secs() + COMMITTER_END.as_secs());
