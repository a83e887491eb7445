//! Receiving: what has landed or was named is looked at and loaded into bronze.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::{Event, Journal, Lake, Request, Run, States, open_all, parallel};
use crate::contract::{Layer, TableName};
use crate::engine::Catalogue;
use crate::error::{Error, Result};
use crate::ingest::{self, Arrival, Ingested, Loading, Register};
use crate::quality::{Tallier, measures_of};
use crate::table::{Publications, stored_schema};

impl Lake {
    /// Loads the files at `locations` into the bronze table `source` and publishes it; without locations,
    /// what has landed for it.
    pub async fn ingest(&self, source: &str, locations: &[String]) -> Result<Ingested> {
        let mut run = self.start(&Request::default())?;
        run.command = "ingest";
        let _listening = self.stop.listen();
        let _lock = self.store.lock(&run.id)?;
        self.store.initialise().await?;
        let mut journal = Journal::default();
        let ended = self.ingest_locked(&mut run, source, locations, &mut journal).await;
        self.record(&run, &journal, ended.as_ref().err()).await;
        ended
    }

    async fn ingest_locked(
        &self,
        run: &mut Run,
        source: &str,
        locations: &[String],
        journal: &mut Journal,
    ) -> Result<Ingested> {
        let table = TableName::new(Layer::Bronze, source);
        let publications = Publications::open(&self.store).await?;
        run.based_on = publications.table().version();
        let mut states = States::load(self, &publications).await?;
        open_all(&run.catalogue, &states);
        let arriving = self.receive(&table, locations, &states, &run.catalogue, run.downloads.path());
        let arrival = self.stop.unless(arriving).await?;
        let loaded = self.load_all(run, vec![arrival], &mut states, journal).await?;
        loaded.iter().flat_map(|table| &table.warnings).for_each(|text| self.observer.warning(text));
        self.conclude(run, &publications, &publications.seen(), &states, &mut journal.judgement).await?;
        loaded.into_iter().next().ok_or_else(|| Error::internal("nothing was ingested"))
    }

    /// What has landed for the bronze tables that `targets` are made from.
    pub(super) async fn arrivals(
        &self,
        targets: &BTreeSet<TableName>,
        states: &States,
        catalogue: &Arc<Catalogue>,
        downloads: &Path,
    ) -> Result<Vec<Arrival>> {
        let needed = self.project.graph.with_ancestors(targets.iter().cloned());
        let bronze = needed.iter().filter(|name| name.layer == Layer::Bronze);
        parallel::joined(bronze.map(|table| self.receive(table, &[], states, catalogue, downloads))).await
    }

    /// What the files at `locations`, or those that have landed, hold that the register does not know.
    async fn receive(
        &self,
        table: &TableName,
        locations: &[String],
        states: &States,
        catalogue: &Arc<Catalogue>,
        downloads: &Path,
    ) -> Result<Arrival> {
        let source = self.project.sources.get(&table.table)?;
        let layout = ingest::layout(self.project.contract(table)?, source)?;
        let register = self.register(table, states, catalogue).await?;
        // A folder a table: two tables may fetch files of the same name at once.
        let downloads = &downloads.join(&table.table);
        let observer = self.observer.clone();
        let progress = move |bytes, of| observer.event(Event::Fetched { bytes, of });
        let (deliveries, warnings) = match locations {
            [] if source.landing.contains("://") => {
                let landing = std::slice::from_ref(&source.landing);
                (ingest::resolve(landing, downloads, &progress).await?, Vec::new())
            }
            [] => ingest::landed(&self.project.folder, &source.landing, &register)?,
            named => (ingest::resolve(named, downloads, &progress).await?, Vec::new()),
        };
        let name = table.clone();
        let examined =
            tokio::task::spawn_blocking(move || Arrival::examine(&name, layout, &deliveries, &register));
        let examined = examined.await;
        let mut arrival =
            examined.map_err(|e| Error::internal(format!("looking at the files stopped: {e}")))??;
        arrival.warnings.extend(warnings);
        Ok(arrival)
    }

    async fn register(
        &self,
        table: &TableName,
        states: &States,
        catalogue: &Arc<Catalogue>,
    ) -> Result<Register> {
        let session = self.engine.session(catalogue.clone());
        let last_seq = states.expect(table)?.table.record().and_then(|record| record.ingest_seq);
        Register::load(&session, &states.expect(&ingest::register_name())?.table, table, last_seq).await
    }

    pub(super) async fn load_all(
        &self,
        run: &Run,
        arrivals: Vec<Arrival>,
        states: &mut States,
        journal: &mut Journal,
    ) -> Result<Vec<Ingested>> {
        let mut all = Vec::new();
        for arrival in arrivals {
            let clock = Instant::now();
            let (table, observer) = (arrival.table.clone(), self.observer.clone());
            let read = table.clone();
            let contract = self.project.contract(&table)?;
            let session = self.engine.session(run.catalogue.clone());
            let measures = measures_of(&self.project, contract);
            let loading = Loading {
                based_on: run.based_on,
                tallier: Tallier::new(&session, &stored_schema(&contract.schema()), &measures)?,
                measures,
                session,
                run_id: &run.id,
                at: run.started_at,
                options: &run.options,
                threads: self.engine.threads(),
                on_rows: Arc::new(move |rows| observer.event(Event::Read { table: read.clone(), rows })),
            };
            let bronze = states.expect(&table)?;
            let files = states.expect(&ingest::register_name())?;
            let loaded = self.stop.unless(ingest::load(arrival, bronze, contract, files, &loading)).await;
            let (ingested, tables) = loaded?;
            journal.has_loaded |= ingested.files > 0;
            if ingested.files > 0 {
                let (rows, seconds) = (ingested.rows, clock.elapsed().as_secs_f64());
                self.observer.event(Event::Finished { table: table.clone(), rows, seconds });
            }
            tables.into_iter().for_each(|table| states.update(table));
            tracing::info!(table = %ingested.table, files = ingested.files, rows = ingested.rows, "ingested");
            all.push(ingested);
        }
        Ok(all)
    }
}
