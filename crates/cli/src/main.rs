//! The command line `verbale`: the daemon, and everything an operator does with it.
//!
//! Exit codes: 0 done, 1 refused, 2 usage, 3 not reachable, 4 damaged.

#![expect(clippy::print_stderr, reason = "printing is what a command line is for; standard output has `say!`")]
#![expect(clippy::disallowed_methods, reason = "the command line reads the files it is given and waits for people")]

mod args;
mod bench;
mod commands;
mod demo;
mod failure;
mod output;
mod progress;
mod stage;

use std::process::ExitCode;

use clap::FromArgMatches as _;

use crate::args::{Args, AuditCommand, Command};
use crate::failure::CliError;

/// Overwrites memory that is given back: what a notice says passes through buffers of many libraries, none of which does that.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> = zeroizing_alloc::ZeroAlloc(std::alloc::System);

/// A core dump would hold keys, and whatever was read or written at the moment.
fn no_core_dumps() -> Result<(), CliError> {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let off = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let off = off.and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    off.map_err(|error| CliError::failed("the operating system refused to switch core dumps off", error))
}

fn main() -> ExitCode {
    let matches = Args::definition().get_matches();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match no_core_dumps().and_then(|()| run(args)) {
        Ok(code) => code,
        // The reader left on purpose; there is nothing to complain of.
        Err(error @ CliError::OutputClosed) => error.exit_code(),
        Err(error) => {
            eprintln!("verbale: {}", error.chain());
            error.exit_code()
        }
    }
}

fn run(args: Args) -> Result<ExitCode, CliError> {
    // One worker: with two processes on two cores more workers only get in each other's way.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| CliError::failed("the operating system refused to start threads", error))?;
    let done = runtime.block_on(async {
        let node = args.node;
        match args.command {
            Command::Init(init) => commands::init::run(&init, &node),
            Command::Serve => commands::serve::run(&node).await,
            Command::Card(card) => commands::card::run(card, &node).await,
            Command::Keys(keys) => commands::keys::run(&keys, &node),
            Command::Submit(submit) => commands::submit::run(&submit, &node).await,
            Command::Drafts => commands::drafts::list(&node).await,
            Command::Approve { id } => commands::drafts::approve(id, &node).await,
            Command::Drop { id } => commands::drafts::drop(id, &node).await,
            Command::List(list) => commands::notices::list(&list, &node).await,
            Command::Show { id } => commands::notices::show(id, &node).await,
            Command::Open { id, purpose } => commands::notices::open(id, purpose, &node).await,
            Command::Ack { id } => commands::notices::acknowledge(id, &node).await,
            Command::Erase { id, reason, confirm, drop } => {
                commands::erase::run(id, (reason, confirm, drop), &node).await
            }
            Command::Receipts { id, export } => commands::receipts::run(id, export.as_deref(), &node).await,
            Command::Recover { known_card, confirm } => commands::recover::run(known_card.as_deref(), confirm, &node),
            Command::Status => commands::status::run(&node).await,
            Command::Duties(duties) => commands::duties::run(&duties, &node).await,
            Command::Publish { id, place } => commands::register::publish(id, place, &node).await,
            Command::Register(register) => commands::register::run(register, &node).await,
            Command::Memorandum(memorandum) => commands::duties::memorandum(memorandum, &node).await,
            Command::Check(check) => commands::check::run(&check, &node),
            Command::Consent(consent) => commands::consent::run(consent, &node).await,
            Command::Disclosures { of, ask, out } => commands::disclosures::run(of, ask, out.as_deref(), &node).await,
            Command::Breach(breach) => commands::breach::run(breach, &node).await,
            Command::Ground(ground) => commands::ground::run(ground, &node).await,
            Command::Audience(audience) => commands::audience::run(audience, &node).await,
            Command::Disclose(disclose) => commands::disclosure::disclose(disclose, &node).await,
            Command::Disclosure(disclosure) => commands::disclosure::run(disclosure, &node).await,
            Command::Audit(AuditCommand::Export(export)) => commands::export::run(&export, &node).await,
            Command::Audit(AuditCommand::Check(args)) => {
                Ok(verbale_audit::run(args.into_iter(), &mut std::io::stdout().lock(), &mut std::io::stderr().lock())
                    .into())
            }
            Command::Demo(demo) => demo::run(&demo, &node).await,
            Command::Bench(bench) => bench::run(&bench, &node).await,
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Args::definition(), "verbale", &mut script);
                output::line(format_args!("{}", String::from_utf8_lossy(&script).trim_end()))?;
                Ok(ExitCode::SUCCESS)
            }
        }
    });
    // Whoever still reads standard input is not waited for.
    runtime.shutdown_background();
    done
}
