//! The PostgreSQL engine: one session, driven from the blocking thread that uses it.
//!
//! Statements are written as for the other engine, with `?1` for values. What nobody waits for is queued and
//! sent together with the next statement that is waited for, so that a transaction takes a few trips to the
//! server and not one a row. Every wait has a deadline on both sides; a session that met one is given up.
//!
//! Writers take turns by one advisory lock, held to the end of the transaction: the one door of one machine is
//! the one door of all nodes. And all of them go by the server's clock.

mod server;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::{MaybeDone, maybe_done};
use jiff::Timestamp;
use tokio_postgres::types::{IsNull, ToSql, Type};
use tokio_postgres::{Client, NoTls, Statement};

pub use self::server::Server;
use super::many::{self, Column, Group, Shape};
use super::{Bind, StoreError};

/// To connect to one host, with TLS and login. They are tried one after the other.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// For one trip to the server, whatever becomes of the network.
const TRIP_DEADLINE: Duration = Duration::from_secs(12);
/// What the server itself gives up after, in milliseconds: a statement, a wait for another writer, and a
/// transaction whose node fell silent in the middle and keeps everybody waiting. And no plan is compiled: that takes longer
/// than anything that is asked here.
const LIMITS: &str = "set statement_timeout = 10000; set lock_timeout = 8000; \
                      set idle_in_transaction_session_timeout = 5000; set jit = off";
/// What is long is kept small in the quicker of the two ways, where the server knows it: the usual one takes a tenth of the time
/// in which ten thousand pages are written.
const QUICK: &str = "select set_config('default_toast_compression', 'lz4', false) from pg_settings \
                     where name = 'default_toast_compression' and 'lz4' = any (enumvals)";
/// Most statements that are on their way at the same time.
const FLIGHT_MAX: usize = 500;
/// So many statements of the same words become one. It is sent at once, so that the server works while the next are decided.
const GROUP_MAX: usize = 64;
/// The lock by which writers take turns: `onscene` in ASCII.
const DOOR: i64 = 0x006f_6e73_6365_6e65;

/// A value that outlives the statement it is for.
#[derive(Debug)]
enum Value {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Blobs(Vec<Option<Vec<u8>>>),
}

impl Value {
    /// All values of a column.
    fn all(column: Column) -> Self {
        match column {
            Column::Ints(values) => Self::Ints(values),
            Column::Texts(values) => Self::Texts(values),
            Column::Blobs(values) => Self::Blobs(values),
        }
    }

    /// The first value of a column.
    fn first(column: Column) -> Self {
        match column {
            Column::Ints(values) => values.into_iter().next().flatten().map_or(Self::Null, Self::Int),
            Column::Texts(values) => values.into_iter().next().flatten().map_or(Self::Null, Self::Text),
            Column::Blobs(values) => values.into_iter().next().flatten().map_or(Self::Null, Self::Blob),
        }
    }
}

impl From<&Bind<'_>> for Value {
    fn from(bind: &Bind<'_>) -> Self {
        match bind {
            Bind::Null => Self::Null,
            Bind::Int(value) => Self::Int(*value),
            Bind::Text(value) => Self::Text((*value).to_owned()),
            Bind::Blob(value) => Self::Blob(value.to_vec()),
        }
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            // The server takes a bare `1` in a statement for a small number, and what is compared with it too.
            Self::Int(value) if *ty == Type::INT4 => i32::try_from(*value)?.to_sql(ty, out),
            Self::Int(value) => value.to_sql(ty, out),
            Self::Text(value) => value.to_sql(ty, out),
            Self::Blob(value) => value.to_sql(ty, out),
            Self::Ints(values) => values.to_sql(ty, out),
            Self::Texts(values) => values.to_sql(ty, out),
            Self::Blobs(values) => values.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

type Driven = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send>>;
type Answer = Result<Vec<tokio_postgres::Row>, tokio_postgres::Error>;
/// A statement whose answer is waited for, or has come.
type Asked = Pin<Box<MaybeDone<Pin<Box<dyn Future<Output = Answer> + Send>>>>>;

struct Inner {
    /// Taken at the end, because it must not be dropped where others are driven.
    runtime: Option<tokio::runtime::Runtime>,
    client: Arc<Client>,
    connection: Driven,
    statements: HashMap<String, Statement>,
    /// What the statements of [`Session::write`] do.
    shapes: HashMap<String, Option<Shape>>,
    /// Statements that wait for others of the same words. They are of different tables: none depends on another.
    groups: Vec<Group>,
    /// What is on its way to the server. What is queued goes behind it.
    sent: Vec<Asked>,
    queued: Vec<(Statement, Vec<Value>)>,
    /// Questions among what is queued, by their places, that somebody will ask later; of several in one, its last column
    /// says which.
    ahead: Vec<(usize, Vec<String>)>,
    /// What was answered to those that nobody has asked yet.
    answered: HashMap<String, Vec<tokio_postgres::Row>>,
    /// Counters as they stand in this transaction, and whether they were moved.
    counters: BTreeMap<String, (i64, bool)>,
    /// It met a deadline or an end, and is of no use any more.
    broken: bool,
}

/// One session.
pub(super) struct Session(RefCell<Inner>);

impl Inner {
    /// Where the statement stands that was queued last, among all whose answers have not been taken.
    fn last_place(&self) -> usize {
        (self.sent.len() + self.queued.len()).saturating_sub(1)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Session {
    /// Connects and logs in.
    pub(super) fn connect(server: &Server, writes: bool) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StoreError::File { path: "a runtime".into(), error })?;
        let mut tried = Err(StoreError::Away("no host is named"));
        for config in server.each_host() {
            let connecting = async {
                let connected: Result<(Client, Driven), tokio_postgres::Error> = match &server.tls {
                    Some(tls) => config
                        .connect(tls.clone())
                        .await
                        .map(|(client, driven)| (client, Box::pin(driven) as Driven)),
                    None => config
                        .connect(NoTls)
                        .await
                        .map(|(client, driven)| (client, Box::pin(driven) as Driven)),
                };
                connected
            };
            let answered =
                runtime.block_on(async { tokio::time::timeout(CONNECT_DEADLINE, connecting).await });
            tried = match answered {
                Ok(connected) => connected.map_err(StoreError::from),
                Err(_) => Err(StoreError::Away("no answer within the time to connect")),
            };
            if tried.is_ok() {
                break;
            }
        }
        let (client, connection) = match tried {
            Ok(connected) => connected,
            Err(error) => {
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let session = Self(RefCell::new(Inner {
            runtime: Some(runtime),
            client: Arc::new(client),
            connection,
            statements: HashMap::new(),
            shapes: HashMap::new(),
            groups: Vec::new(),
            sent: Vec::new(),
            queued: Vec::new(),
            ahead: Vec::new(),
            answered: HashMap::new(),
            counters: BTreeMap::new(),
            broken: false,
        }));
        session.batch(LIMITS)?;
        if writes {
            session.batch(QUICK)?;
            // 2xx means on disk. A server that waits for its standby too is left to do so.
            let lax = session.query("select current_setting('synchronous_commit')", &[])?;
            if lax.first().is_some_and(|row| row.try_get::<_, &str>(0).is_ok_and(|word| word == "off")) {
                session.batch("set synchronous_commit = on")?;
            }
        }
        Ok(session)
    }

    /// Begins to write, when it is this writer's turn; answers the server's hour.
    pub(super) fn begin(&self) -> Result<Timestamp, StoreError> {
        self.reset();
        // Whatever the server's default is: a view taken before the turn has come would be an old one.
        self.queue("begin isolation level read committed read write", &[])?;
        self.queue("select pg_advisory_xact_lock(?1)", &[DOOR.into()])?;
        let rows = self.query("select (extract(epoch from clock_timestamp()) * 1000000)::bigint", &[])?;
        let micros: i64 = rows.first().ok_or(StoreError::Decode("the server tells no hour"))?.try_get(0)?;
        Timestamp::from_microsecond(micros).map_err(|_| StoreError::Decode("a time out of range"))
    }

    /// Begins to read one unchanging view.
    pub(super) fn begin_reading(&self) -> Result<(), StoreError> {
        self.reset();
        self.batch("begin isolation level repeatable read, read only")
    }

    /// Forgets what a transaction that broke off left behind.
    fn reset(&self) {
        let mut inner = self.0.borrow_mut();
        inner.groups.clear();
        inner.sent.clear();
        inner.queued.clear();
        inner.ahead.clear();
        inner.answered.clear();
        inner.counters.clear();
    }

    /// Sends what is queued, and ends the transaction for good.
    pub(super) fn commit(&self) -> Result<(), StoreError> {
        let moved: Vec<(String, i64)> = {
            let counters = &self.0.borrow().counters;
            counters
                .iter()
                .filter(|(_, (_, moved))| *moved)
                .map(|(name, (value, _))| (name.clone(), *value))
                .collect()
        };
        for (name, value) in moved {
            self.queue("update counter set value = ?2 where name = ?1", &[(&name).into(), value.into()])?;
        }
        self.queue_groups()?;
        let statement = self.statement("commit")?;
        if self.0.borrow().last_place() + 1 >= FLIGHT_MAX {
            // So that the commit is on its way only when these have arrived.
            self.send()?;
        }
        // All in one go: a statement that fails makes the commit undo everything, and its error is told.
        self.0.borrow_mut().queued.push((statement, Vec::new()));
        self.send().map_err(StoreError::of_a_commit)
    }

    /// Undoes the transaction. A session that cannot even do that is of no use any more.
    pub(super) fn roll_back(&self) {
        self.reset();
        if self.batch("rollback").is_err() {
            self.0.borrow_mut().broken = true;
        }
    }

    /// Runs several statements without values.
    pub(super) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        let mut inner = self.0.borrow_mut();
        let Inner { runtime, client, connection, broken, .. } = &mut *inner;
        drive(runtime, connection, broken, client.batch_execute(sql))
    }

    /// The next number of a counter. The row itself is written once, at the end.
    pub(super) fn next_number(&self, counter: &str) -> Result<i64, StoreError> {
        if self.0.borrow().counters.is_empty() {
            let rows = self.query("select name, value from counter", &[])?;
            let mut inner = self.0.borrow_mut();
            for row in rows {
                inner.counters.insert(row.try_get(0)?, (row.try_get(1)?, false));
            }
        }
        let mut inner = self.0.borrow_mut();
        let (value, moved) =
            inner.counters.get_mut(counter).ok_or(StoreError::Decode("a counter is missing"))?;
        *value += 1;
        *moved = true;
        Ok(*value)
    }

    /// Sends what is queued.
    pub(super) fn send(&self) -> Result<(), StoreError> {
        self.flush().map(|_| ())
    }

    /// Queues a statement that changes rows, which may be sent as one with others of the same words.
    pub(super) fn write(&self, sql: &str, binds: &[Bind<'_>]) -> Result<(), StoreError> {
        let Some(shape) = self.shape(sql) else { return self.queue(sql, binds) };
        let taken = {
            let mut inner = self.0.borrow_mut();
            match inner.groups.iter_mut().find(|group| group.sql == sql) {
                Some(group) => group.take(binds).then_some(group.rows),
                None => None,
            }
        };
        if let Some(rows) = taken {
            return if rows < GROUP_MAX { Ok(()) } else { self.hasten() };
        }
        // What stands there of the same table comes before it.
        let is_free = self.0.borrow().groups.iter().all(|group| group.is_apart_from(&shape));
        if !is_free {
            self.queue_groups()?;
        }
        let statement = self.statement(sql)?;
        let Some(mut group) = Group::new(sql, shape, statement.params()) else {
            return self.queue(sql, binds);
        };
        if !group.take(binds) {
            return self.queue(sql, binds);
        }
        self.0.borrow_mut().groups.push(group);
        Ok(())
    }

    fn shape(&self, sql: &str) -> Option<Shape> {
        if let Some(known) = self.0.borrow().shapes.get(sql) {
            return known.clone();
        }
        let shape = Shape::of(sql);
        self.0.borrow_mut().shapes.insert(sql.to_owned(), shape.clone());
        shape
    }

    /// Queues what waits for others of the same words.
    fn queue_groups(&self) -> Result<(), StoreError> {
        let groups = std::mem::take(&mut self.0.borrow_mut().groups);
        for group in groups {
            let alone = StoreError::Decode("a statement that cannot be one for many rows");
            let written = if group.rows == 1 { group.sql.clone() } else { group.written().ok_or(alone)? };
            let statement = self.statement(&written)?;
            let read = if group.rows == 1 { Value::first } else { Value::all };
            let values = group.columns.into_iter().map(read).collect();
            self.0.borrow_mut().queued.push((statement, values));
        }
        Ok(())
    }

    /// Puts what is queued on its way, and waits for nothing.
    fn hasten(&self) -> Result<(), StoreError> {
        self.queue_groups()?;
        let mut inner = self.0.borrow_mut();
        if inner.sent.len() + inner.queued.len() > FLIGHT_MAX {
            return Ok(());
        }
        let queued = std::mem::take(&mut inner.queued);
        let Inner { runtime, client, connection, broken, sent, .. } = &mut *inner;
        let before = sent.len();
        sent.extend(queued.into_iter().map(|(statement, values)| asking(client, statement, values)));
        drive(runtime, connection, broken, async {
            std::future::poll_fn(|context| {
                for asked in sent.iter_mut().skip(before) {
                    let _ = asked.as_mut().poll(context);
                }
                Poll::Ready(())
            })
            .await;
            // Once more, so that the connection has its turn as well.
            tokio::task::yield_now().await;
            Ok(())
        })
    }

    /// Queues a statement whose answer nobody waits for.
    pub(super) fn queue(&self, sql: &str, binds: &[Bind<'_>]) -> Result<(), StoreError> {
        self.queue_values(sql, binds.iter().map(Value::from).collect())
    }

    fn queue_values(&self, sql: &str, values: Vec<Value>) -> Result<(), StoreError> {
        self.queue_groups()?;
        let statement = self.statement(sql)?;
        self.0.borrow_mut().queued.push((statement, values));
        Ok(())
    }

    /// Queues an update with many values, as one statement. No two may be of the same row.
    pub(super) fn queue_each(&self, sql: &str, many: &[Vec<Bind<'_>>]) -> Result<(), StoreError> {
        if let Some(columns) = many::columns(many)
            && let Some(written) = many::update(sql, &columns)
        {
            return self.queue_values(&written, columns.into_iter().map(Value::all).collect());
        }
        many.iter().try_for_each(|binds| self.queue(sql, binds))
    }

    /// Queues a question that will be asked later in this transaction: it travels with the next that is waited for.
    pub(super) fn ahead(&self, sql: &str, binds: &[Bind<'_>]) -> Result<(), StoreError> {
        self.queue(sql, binds)?;
        let place = self.0.borrow().last_place();
        self.0.borrow_mut().ahead.push((place, vec![asked(sql, binds)]));
        Ok(())
    }

    /// The same for a question with many values, as one.
    pub(super) fn ahead_each(&self, sql: &str, many: &[Vec<Bind<'_>>]) -> Result<(), StoreError> {
        let Some(columns) = many::columns(many).filter(|_| many.len() > 1) else {
            return many.iter().try_for_each(|binds| self.ahead(sql, binds));
        };
        let written = many::query(sql, &columns);
        self.queue_values(&written, columns.into_iter().map(Value::all).collect())?;
        let mut inner = self.0.borrow_mut();
        let place = inner.last_place();
        inner.ahead.push((place, many.iter().map(|binds| asked(sql, binds)).collect()));
        Ok(())
    }

    /// What was answered to a question that was sent ahead.
    fn answered(
        &self,
        sql: &str,
        binds: &[Bind<'_>],
    ) -> Result<Option<Vec<tokio_postgres::Row>>, StoreError> {
        let waits = {
            let inner = self.0.borrow();
            if inner.ahead.is_empty() && inner.answered.is_empty() {
                return Ok(None);
            }
            let asked = asked(sql, binds);
            inner.ahead.iter().any(|(_, known)| known.contains(&asked))
        };
        if waits {
            self.flush()?;
        }
        Ok(self.0.borrow_mut().answered.remove(&asked(sql, binds)))
    }

    /// Runs a query.
    pub(super) fn query(
        &self,
        sql: &str,
        binds: &[Bind<'_>],
    ) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        if let Some(rows) = self.answered(sql, binds)? {
            return Ok(rows);
        }
        self.queue(sql, binds)?;
        Ok(self.flush()?.pop().unwrap_or_default())
    }

    /// Runs one query with many values, in one go; answers the first row of each.
    pub(super) fn query_each(
        &self,
        sql: &str,
        many: &[Vec<Bind<'_>>],
    ) -> Result<Vec<Option<tokio_postgres::Row>>, StoreError> {
        if many.is_empty() {
            return Ok(Vec::new());
        }
        let Some(columns) = many::columns(many) else {
            for binds in many {
                self.queue(sql, binds)?;
            }
            let mut rows = self.flush()?;
            let own = rows.split_off(rows.len().saturating_sub(many.len()));
            return Ok(own.into_iter().map(|rows| rows.into_iter().next()).collect());
        };
        let written = many::query(sql, &columns);
        self.queue_values(&written, columns.into_iter().map(Value::all).collect())?;
        let mut found: Vec<Option<tokio_postgres::Row>> = many.iter().map(|_| None).collect();
        for row in self.flush()?.pop().unwrap_or_default() {
            found.get_mut(number_of(&row)?).ok_or(StoreError::Decode(STRAY))?.get_or_insert(row);
        }
        Ok(found)
    }

    /// Runs a statement that changes rows; answers how many.
    pub(super) fn execute(&self, sql: &str, binds: &[Bind<'_>]) -> Result<u64, StoreError> {
        self.flush()?;
        let statement = self.statement(sql)?;
        let values: Vec<Value> = binds.iter().map(Value::from).collect();
        let mut inner = self.0.borrow_mut();
        let Inner { runtime, client, connection, broken, .. } = &mut *inner;
        drive(runtime, connection, broken, async {
            let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
            client.execute(&statement, &values).await
        })
    }

    fn statement(&self, sql: &str) -> Result<Statement, StoreError> {
        if let Some(known) = self.0.borrow().statements.get(sql) {
            return Ok(known.clone());
        }
        let mut inner = self.0.borrow_mut();
        let Inner { runtime, client, connection, broken, .. } = &mut *inner;
        let written = numbered(sql);
        let statement = drive(runtime, connection, broken, client.prepare(&written))?;
        inner.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Sends everything that is queued, one behind the other, and waits once for so many.
    fn flush(&self) -> Result<Vec<Vec<tokio_postgres::Row>>, StoreError> {
        self.queue_groups()?;
        let mut inner = self.0.borrow_mut();
        let ahead = std::mem::take(&mut inner.ahead);
        let mut sends = std::mem::take(&mut inner.sent);
        let queued = std::mem::take(&mut inner.queued);
        let Inner { runtime, client, connection, broken, .. } = &mut *inner;
        let mut rows = Vec::with_capacity(sends.len() + queued.len());
        let mut queued = queued.into_iter();
        loop {
            let room = FLIGHT_MAX.saturating_sub(sends.len());
            let some = queued.by_ref().take(room);
            sends.extend(some.map(|(statement, values)| asking(client, statement, values)));
            if sends.is_empty() {
                break;
            }
            let some = std::mem::take(&mut sends);
            for answer in drive(runtime, connection, broken, async { Ok(in_order(some).await) })? {
                rows.push(answer.inspect_err(|error| *broken |= ends_session(error))?);
            }
        }
        for (place, mut asked) in ahead {
            let answer = rows.get_mut(place).map(std::mem::take).unwrap_or_default();
            if let [_] = asked[..] {
                inner.answered.extend(asked.pop().map(|asked| (asked, answer)));
                continue;
            }
            let mut answers: Vec<Vec<tokio_postgres::Row>> = asked.iter().map(|_| Vec::new()).collect();
            for row in answer {
                answers.get_mut(number_of(&row)?).ok_or(StoreError::Decode(STRAY))?.push(row);
            }
            inner.answered.extend(asked.into_iter().zip(answers));
        }
        Ok(rows)
    }
}

const STRAY: &str = "a row of nothing that was asked for";

/// To which of many questions in one a row belongs, from 0.
fn number_of(row: &tokio_postgres::Row) -> Result<usize, StoreError> {
    let number: i64 = row.try_get(row.len().saturating_sub(1))?;
    usize::try_from(number - 1).map_err(|_| StoreError::Decode(STRAY))
}

/// A question with its values.
fn asked(sql: &str, binds: &[Bind<'_>]) -> String {
    format!("{binds:?} {sql}")
}

/// A statement on its way. It is put on the wire when it is asked first.
fn asking(client: &Arc<Client>, statement: Statement, values: Vec<Value>) -> Asked {
    let client = client.clone();
    Box::pin(maybe_done(Box::pin(async move {
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        client.query(&statement, &values).await
    })))
}

/// Drives sends side by side. They go out in their order.
async fn in_order(mut sends: Vec<Asked>) -> Vec<Answer> {
    std::future::poll_fn(|context| {
        let mut pending = false;
        for send in &mut sends {
            pending |= send.as_mut().poll(context).is_pending();
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    sends.iter_mut().filter_map(|send| send.as_mut().take_output()).collect()
}

/// Whether a session is of no use after this error. The codes: statements that were prepared for another schema, or are
/// not known to the server any more.
fn ends_session(error: &tokio_postgres::Error) -> bool {
    let is_of_statement = |code: &tokio_postgres::error::SqlState| ["0A000", "26000"].contains(&code.code());
    error.is_closed() || error.code().is_none_or(is_of_statement)
}

/// Runs `work` while the connection is driven, no longer than a trip may take.
fn drive<T>(
    runtime: &Option<tokio::runtime::Runtime>,
    connection: &mut Driven,
    broken: &mut bool,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, StoreError> {
    let Some(runtime) = runtime else { return Err(StoreError::Away("the session has ended")) };
    if *broken {
        return Err(StoreError::Away("the session has ended"));
    }
    let done = runtime.block_on(async {
        let both = async {
            tokio::select! {
                biased;
                done = work => done.map_err(StoreError::from),
                ended = connection => Err(ended.err().map_or(StoreError::Away("the server closed the connection"), StoreError::from)),
            }
        };
        tokio::time::timeout(TRIP_DEADLINE, both).await.unwrap_or(Err(StoreError::Away("no answer in time")))
    });
    *broken |= match &done {
        Ok(_) => false,
        Err(StoreError::Server(error)) => ends_session(error),
        Err(_) => true,
    };
    done
}

/// A statement with its values written as this engine wants them.
fn numbered(sql: &str) -> String {
    let mut written = String::with_capacity(sql.len());
    let mut rest = sql.chars().peekable();
    while let Some(c) = rest.next() {
        let is_value = c == '?' && rest.peek().is_some_and(char::is_ascii_digit);
        written.push(if is_value { '$' } else { c });
    }
    written
}

/// A migration as this engine wants it. The files are written for the other one.
pub(super) fn dialect(sql: &str) -> String {
    sql.replace("integer primary key", "bigint primary key")
        .replace(" blob", " bytea")
        .replace(" collate binary", " collate \"C\"")
        .replace(") without rowid;", ");")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::Place;
    use super::*;

    /// Whether the tests have a server.
    #[allow(clippy::disallowed_methods, reason = "whoever runs the tests says where the server is")]
    pub(crate) fn is_there() -> bool {
        std::env::var_os("ONSCENE_TEST_POSTGRES").is_some()
    }

    /// A new database on the server of the tests, where there is one.
    #[allow(clippy::disallowed_methods, reason = "whoever runs the tests says where the server is")]
    pub(crate) fn fresh() -> Option<Place> {
        let at = std::env::var("ONSCENE_TEST_POSTGRES").ok()?;
        let name = format!("test_{}", crate::crypto::random_id().unwrap());
        let url = |database: &str| format!("postgres:///{database}?host={at}&user=onscene");
        let server = Server::read(&url("postgres"), None, None).unwrap();
        Session::connect(&server, true).unwrap().batch(&format!("create database {name}")).unwrap();
        Some(Place::Postgres(Arc::new(Server::read(&url(&name), None, None).unwrap())))
    }

    #[test]
    fn values_are_numbered_as_the_server_wants_them() {
        assert_eq!(numbered("select ?1, ?12 where a = '?'"), "select $1, $12 where a = '?'");
    }
}
