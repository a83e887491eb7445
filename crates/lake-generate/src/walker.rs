//! Walks through the days in order of time and turns purchases into jobs.
//! Sequential, so that invoice numbers run; it decides who buys, returns and is late, never what a line says.
//! Holds a state per customer and the events of one day, never lines.

use crate::agenda::Agenda;
use crate::chance::{Chance, Stream};
use crate::faults::{ADJUSTMENTS, LATE};
use crate::job::{Buyer, Charge, Chunk, Job, Sale};
use crate::population::{Progress, Visit};
use crate::world::World;
use std::collections::VecDeque;

const FIRST_INVOICE: u32 = 536_365;
/// Product lines of one invoice at most; a larger purchase is spread over several.
const INVOICE_LINES: u64 = 120;
/// Lines of a chunk, roughly: the unit of work of a thread.
const CHUNK_LINES: usize = 4_096;
/// Guests' returns that may be under way at the same time.
const GUEST_RETURNS: u32 = 256;
/// Mean of the trading days until a return, beyond the next.
const RETURN_DELAY_DAYS: f64 = 12.0;
/// Stand-alone fees per order.
const FEES: f64 = 0.004;
/// Sales remembered to be late with, and the lines of each that are repeated, on average.
const MEMORY: usize = 256;
const LATE_LINES: f64 = 2.0;

/// What happens at a minute of the day; the order of the variants breaks ties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Purchase(u32),
    Guest(u64),
    Return(u32),
    Fee(u64),
    Adjustment(u64),
}

/// The simulation in progress.
pub(crate) struct Walker<'w> {
    world: &'w World,
    chance: Chance,
    progress: Vec<Progress>,
    /// Each customer's next purchase, and its day.
    visits: Vec<Visit>,
    purchases: Agenda,
    /// The sale of which something comes back, per customer and then per guest slot.
    returning: Vec<Option<Sale>>,
    returns: Agenda,
    free_slots: Vec<u32>,
    number: u32,
    guests: u64,
    adjustments: u64,
    memory: VecDeque<Sale>,
    chunk: Chunk,
    size: usize,
    planned_lines: u64,
}

impl<'w> Walker<'w> {
    pub fn new(world: &'w World) -> Self {
        let (customers, days) = (world.population.customers.len(), world.calendar.days());
        let entries = customers + GUEST_RETURNS as usize;
        let mut walker = Walker {
            world,
            chance: Chance::new(world.seed, Stream::Walk, 0, 0),
            progress: vec![Progress::default(); customers],
            visits: vec![Visit::default(); customers],
            purchases: Agenda::new(days, customers),
            returning: vec![None; entries],
            returns: Agenda::new(days, entries),
            free_slots: (customers as u32..entries as u32).rev().collect(),
            number: FIRST_INVOICE,
            guests: 0,
            adjustments: 0,
            memory: VecDeque::with_capacity(MEMORY),
            chunk: Chunk { file: 0, jobs: Vec::new() },
            size: 0,
            planned_lines: 0,
        };
        (0..customers as u32).for_each(|id| walker.foresee(id));
        walker
    }

    /// Walks through the whole period. `sink` gets the chunks in order and says whether to go on.
    pub fn walk(mut self, sink: &mut dyn FnMut(Chunk) -> bool) -> Vec<Progress> {
        let mut events = Vec::new();
        for day in 0..self.world.calendar.days() as u32 {
            if !self.open(self.world.deliveries.of_day(day), sink) {
                return self.progress;
            }
            self.events(day, &mut events);
            let before = self.planned_lines;
            for (minute, event) in events.drain(..) {
                if !self.happen(day, minute, event, sink) {
                    return self.progress;
                }
            }
            let lines = (self.planned_lines - before) as f64;
            self.be_late(day, lines * LATE * self.world.dirt / LATE_LINES);
        }
        if let Some(late) = self.world.deliveries.late {
            self.open(late, sink);
            for sale in std::mem::take(&mut self.memory).into_iter().take(self.late_sales()) {
                self.chunk.jobs.push(late_job(sale, &mut self.chance));
            }
        }
        self.flush(sink);
        self.progress
    }

    /// Collects a day's events in order of time.
    fn events(&mut self, day: u32, events: &mut Vec<(u16, Event)>) {
        let Walker { world, visits, chance, .. } = self;
        let calendar = &world.calendar;
        self.purchases.take(day, |id| events.push((visits[id as usize].minute, Event::Purchase(id))));
        for order in self.guests..calendar.guests_through(day, world.scale.guests) {
            events.push((calendar.minute(day, chance), Event::Guest(order)));
            self.guests = order + 1;
        }
        let mut due = Vec::new();
        self.returns.take(day, |slot| due.push(slot));
        due.sort_unstable();
        events.extend(due.into_iter().map(|slot| (calendar.minute(day, chance), Event::Return(slot))));
        let orders = events.len() as f64;
        for fee in 0..chance.round(orders * FEES) {
            events.push((calendar.minute(day, chance), Event::Fee(fee)));
        }
        let wanted = adjustments(world) * (u64::from(day) + 1) / calendar.days() as u64;
        for adjustment in self.adjustments..wanted {
            events.push((calendar.minute(day, chance), Event::Adjustment(adjustment)));
        }
        self.adjustments = wanted;
        events.sort_unstable();
    }

    fn happen(&mut self, day: u32, minute: u16, event: Event, sink: &mut dyn FnMut(Chunk) -> bool) -> bool {
        match event {
            Event::Purchase(id) => {
                let customer = self.world.population.customers[id as usize];
                let buyer = Buyer { customer: Some(id), style: customer.style, country: customer.country };
                let visit = u64::from(self.progress[id as usize].visits) - 1;
                let spend = self.visits[id as usize].spend;
                let order = self.world.scale.order(spend, customer.whale);
                self.foresee(id);
                self.sell(day, minute, buyer, visit, order, sink)
            }
            Event::Guest(visit) => {
                let guest = self.world.population.guest(visit);
                let buyer = Buyer { customer: None, style: guest.style, country: guest.country };
                let order = self.world.scale.order(guest.spend, false);
                self.sell(day, minute, buyer, visit, order, sink)
            }
            Event::Return(slot) => {
                if slot as usize >= self.progress.len() {
                    self.free_slots.push(slot);
                }
                match self.returning[slot as usize].take() {
                    Some(sale) => {
                        let number = self.next_number();
                        self.push(Job::Return { number, day, minute, sale }, sink)
                    }
                    None => true,
                }
            }
            Event::Fee(_) => {
                let charge = Charge::FEES[self.chance.below(Charge::FEES.len() as u32) as usize];
                self.charge(day, minute, charge, sink)
            }
            Event::Adjustment(count) => {
                self.charge(day, minute, Charge::Adjustment { up: count % 3 == 0 }, sink)
            }
        }
    }

    /// Draws a customer's next purchase and notes its day.
    fn foresee(&mut self, id: u32) {
        let progress = &mut self.progress[id as usize];
        if let Some(visit) = self.world.population.next_visit(id, progress, &self.world.calendar) {
            self.visits[id as usize] = visit;
            self.purchases.note(visit.day, id);
        }
    }

    /// Spreads an order over its invoices, all of the same minute.
    fn sell(
        &mut self,
        day: u32,
        minute: u16,
        buyer: Buyer,
        visit: u64,
        (pence, lines): (i64, u64),
        sink: &mut dyn FnMut(Chunk) -> bool,
    ) -> bool {
        let parts = lines.div_ceil(INVOICE_LINES);
        self.planned_lines += lines;
        for part in 0..parts {
            let share = |whole: u64| whole * (part + 1) / parts - whole * part / parts;
            let mut sale = Sale {
                number: self.next_number(),
                buyer,
                visit,
                part: part as u32,
                day,
                minute,
                pence: share(pence as u64) as i64,
                lines: share(lines) as u32,
                returned: false,
            };
            sale.returned = part == 0 && self.plan_return(&sale);
            self.remember(sale);
            if !self.push(Job::Sale(sale), sink) {
                return false;
            }
        }
        true
    }

    /// Decides whether something of a sale comes back, on which later day, and notes it.
    /// A customer has one return under way at most; none is planned for after the period.
    fn plan_return(&mut self, sale: &Sale) -> bool {
        let (a, b) = sale.key();
        let mut chance = Chance::new(self.world.seed, Stream::Return, a, b);
        if !chance.happens(self.world.scale.returns) {
            return false;
        }
        let due = sale.day + 1 + (chance.exponential() * RETURN_DELAY_DAYS) as u32;
        let slot = match sale.buyer.customer {
            Some(id) => self.returning[id as usize].is_none().then_some(id),
            None => self.free_slots.last().copied(),
        };
        let Some(slot) = slot.filter(|_| (due as usize) < self.world.calendar.days()) else { return false };
        if sale.buyer.customer.is_none() {
            self.free_slots.pop();
        }
        self.returning[slot as usize] = Some(Sale { returned: true, ..*sale });
        self.returns.note(due, slot);
        true
    }

    fn charge(&mut self, day: u32, minute: u16, charge: Charge, sink: &mut dyn FnMut(Chunk) -> bool) -> bool {
        let number = self.next_number();
        self.push(Job::Charge { number, day, minute, charge }, sink)
    }

    /// Keeps a sale in mind to be late with. Each is used once, so that no late line comes twice.
    fn remember(&mut self, sale: Sale) {
        if self.world.dirt > 0.0 && self.memory.len() < MEMORY && self.chance.below(8) == 0 {
            self.memory.push_back(sale);
        }
    }

    /// Adds the day's late records, as far as earlier days' sales are remembered.
    fn be_late(&mut self, day: u32, mean: f64) {
        for _ in 0..self.chance.round(mean) {
            if self.memory.front().is_none_or(|sale| sale.day >= day) {
                return;
            }
            if let Some(sale) = self.memory.pop_front() {
                self.chunk.jobs.push(late_job(sale, &mut self.chance));
            }
        }
    }

    /// How many sales the file of late lines is about: few where there are few lines.
    fn late_sales(&self) -> usize {
        ((self.planned_lines as f64 * LATE) as usize).clamp(4, MEMORY)
    }

    fn next_number(&mut self) -> u32 {
        let gap = u32::from(self.chance.below(16) == 0);
        self.number += 1 + gap;
        self.number - 1 - gap
    }

    fn push(&mut self, job: Job, sink: &mut dyn FnMut(Chunk) -> bool) -> bool {
        self.size += job.size();
        self.chunk.jobs.push(job);
        self.size < CHUNK_LINES || self.flush(sink)
    }

    /// Makes `file` the one that gets the next jobs.
    fn open(&mut self, file: u32, sink: &mut dyn FnMut(Chunk) -> bool) -> bool {
        let go_on = self.chunk.file == file || self.flush(sink);
        self.chunk.file = file;
        go_on
    }

    fn flush(&mut self, sink: &mut dyn FnMut(Chunk) -> bool) -> bool {
        self.size = 0;
        let jobs = std::mem::take(&mut self.chunk.jobs);
        jobs.is_empty() || sink(Chunk { file: self.chunk.file, jobs })
    }
}

/// One line in three of late guests is new; all others repeat what is known.
fn late_job(sale: Sale, chance: &mut Chance) -> Job {
    Job::Late { sale, fresh: sale.buyer.customer.is_none() && chance.below(3) == 0 }
}

/// Adjustment invoices in the whole period.
fn adjustments(world: &World) -> u64 {
    let sales = world.scale.basket * (world.scale.purchases + world.scale.guests) as f64;
    if world.dirt > 0.0 { ((sales * ADJUSTMENTS * world.dirt) as u64).max(3) } else { 0 }
}
