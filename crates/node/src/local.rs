//! The service for the contact point's own people and systems.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use verbale_domain::PURPOSE_BYTES_MAX;
use verbale_domain::disclosure::Audience;
use verbale_evidence::UnverifiedCard;
use verbale_exchange::{Exchange, Held, Input, Told};
use verbale_journal::Store;
use verbale_keys::Fingerprint;
use verbale_ledger::LogIndex;
use verbale_proto::v1::{
    AcknowledgeRequest, AcknowledgeResponse, ApproveRequest, ApproveResponse, AskAccountRequest, AskAccountResponse,
    AskErasureRequest, AskErasureResponse, AudiencesRequest, AudiencesResponse, BreachesRequest, BreachesResponse,
    CommenceRequest, CommenceResponse, ConfirmAudienceRequest, ConfirmAudienceResponse, ConfirmGroundRequest,
    ConfirmGroundResponse, ConsentsRequest, ConsentsResponse, DiscloseResponse, DisclosureItem, DisclosureQuery,
    DisclosuresRequest, DraftsRequest, DraftsResponse, DropDraftRequest, DropDraftResponse, DutiesRequest,
    DutiesResponse, EndAudienceRequest, EndAudienceResponse, EndGroundRequest, EndGroundResponse, EnrolCardRequest,
    EnrolCardResponse, EnterAudienceRequest, EnterAudienceResponse, ErasuresRequest, ErasuresResponse,
    ExportLogRequest, ExportLogResponse, Facts, GroundsRequest, GroundsResponse, JudgeResponse, ListRequest,
    ListResponse, OpenRequest, OpenResponse, OrganisationsRequest, OrganisationsResponse, PublishRequest,
    PublishResponse, ReadLogRequest, ReadLogResponse, ReceiptsRequest, ReceiptsResponse, RecordGroundRequest,
    RecordGroundResponse, RegisterEntry, RegisterRequest, ReportBreachRequest, ReportBreachResponse,
    SettleErasureRequest, SettleErasureResponse, ShowCardRequest, ShowCardResponse, ShowRequest, ShowResponse,
    StatusRequest, StatusResponse, SubmitRequest, SubmitResponse, WriteRequest,
};
use verbale_rpc::node_server::Node;
use verbale_rpc::tonic::{self, Request, Response, Status, Streaming};
use verbale_rpc::{Failure, FailureKind};

use crate::clock::now_ms;
use crate::config::RoleName::{Approver, Auditor, Operator, System};
use crate::core::{Answer, Core, Needs, Stopped};
use crate::local_reads::{draft, failed, find, receipts, reveal, sealed};
use crate::person::{Person, Sight, require};
use crate::shared::Shared;
use crate::{
    account, approval, commencement, consent, directory, disclosure, erasure, export, ground, onward, random, register,
    submit, view,
};

/// Entries of one message of the log: under 1 MiB.
const LOG_BYTES: usize = 1 << 20;

/// Every role: a person without any may not even look.
const ANY: [crate::config::RoleName; 4] = [System, Operator, Approver, Auditor];

/// The local service.
pub(crate) struct NodeService {
    pub(crate) shared: Arc<Shared>,
    pub(crate) core: Core,
    pub(crate) stop: watch::Receiver<bool>,
}

#[tonic::async_trait]
impl Node for NodeService {
    type SubmitStream = ReceiverStream<Result<SubmitResponse, Status>>;
    type ReadLogStream = ReceiverStream<Result<ReadLogResponse, Status>>;
    type ExportLogStream = ReceiverStream<Result<ExportLogResponse, Status>>;
    type DisclosuresStream = ReceiverStream<Result<DisclosureItem, Status>>;
    type RegisterStream = ReceiverStream<Result<RegisterEntry, Status>>;

    async fn submit(&self, request: Request<Streaming<SubmitRequest>>) -> Result<Response<Self::SubmitStream>, Status> {
        let person = self.person(&request, &[System, Operator, Approver])?;
        let stop = self.stop.clone();
        let responses = submit::run(&self.shared, &self.core, stop, person, request.into_inner());
        Ok(Response::new(responses))
    }

    async fn drafts(&self, request: Request<DraftsRequest>) -> Result<Response<DraftsResponse>, Status> {
        self.person(&request, &[System, Operator, Approver])?;
        let shared = Arc::clone(&self.shared);
        let drafts = self.core.read(move |exchange, _| approval::drafts(exchange, &shared.persons)).await;
        Ok(Response::new(DraftsResponse { drafts: drafts.map_err(stopping)? }))
    }

    async fn approve(&self, request: Request<ApproveRequest>) -> Result<Response<ApproveResponse>, Status> {
        let person = self.person(&request, &[Approver])?;
        let accepted = approval::approve(&self.shared, &self.core, &person, request.into_inner().id).await?;
        Ok(Response::new(ApproveResponse { accepted: Some(accepted) }))
    }

    async fn drop_draft(&self, request: Request<DropDraftRequest>) -> Result<Response<DropDraftResponse>, Status> {
        let person = self.person(&request, &[Operator, Approver])?;
        let id = request.into_inner().id;
        let found =
            self.core.read(move |exchange, _| Ok::<_, Failure>(draft(exchange, &id)?.map(|draft| draft.message_id)));
        let message_id = found.await.map_err(stopping)??.ok_or_else(|| approval::no_such_draft().status())?;
        let actor = person.name.clone();
        let index = self.done(move |ticket| Input::DropDraft { ticket, message_id, actor }).await?;
        Ok(Response::new(DropDraftResponse { log_index: index.0 }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let sight = self.person(&request, &ANY)?.sight();
        let request = request.into_inner();
        let listed = self.core.read(move |exchange, _| view::list(exchange, &request, sight)).await;
        listed.map(Response::new).map_err(stopping)
    }

    async fn show(&self, request: Request<ShowRequest>) -> Result<Response<ShowResponse>, Status> {
        let sight = self.person(&request, &ANY)?.sight();
        let id = request.into_inner().id;
        let show = move |exchange: &Exchange, held: Held| view::show(exchange, &held, sight);
        let shown = self.core.read(move |exchange, _| find(exchange, &id, sight).map(|held| show(exchange, held)));
        let shown = shown.await;
        Ok(Response::new(shown.map_err(stopping)??))
    }

    async fn open(&self, request: Request<OpenRequest>) -> Result<Response<OpenResponse>, Status> {
        let person = self.person(&request, &[Operator, Approver, System])?;
        let OpenRequest { id, purpose } = request.into_inner();
        if purpose.trim().is_empty() || purpose.len() > PURPOSE_BYTES_MAX {
            let text =
                format!("say in 1 to {PURPOSE_BYTES_MAX} bytes why the notice is read; the purpose is kept with it");
            return Err(Failure::new(FailureKind::Refused, "PURPOSE_MISSING", text).status());
        }
        let sealed =
            self.core.read(move |exchange, journal| sealed(exchange, journal, &id)).await.map_err(stopping)??;
        // A system hands over what came; what people are about to sign is theirs.
        if sealed.envelope().is_none() && !(person.has(Operator) || person.has(Approver)) {
            self.shared.denied.count("NOT_ALLOWED");
            let text = "a draft is read by an operator or an approver";
            return Err(Failure::new(FailureKind::NotAllowed, "NOT_ALLOWED", text).status());
        }
        let message_id = sealed.message_id();
        let shared = Arc::clone(&self.shared);
        let revealed = tokio::task::spawn_blocking(move || {
            let (opened, keys) = reveal(&shared, &sealed)?;
            let facts = Facts { purpose, ..Facts::default() };
            Ok::<_, Failure>((opened.notice, keys.facts.seal(message_id, &facts, &random::bytes())))
        });
        let (notice, facts) = revealed.await.map_err(|_| stopping(Stopped))??;
        let actor = person.name.clone();
        // The content leaves only after the opening is in the log.
        let index = self.done(move |ticket| Input::Open { ticket, message_id, actor, facts }).await?;
        Ok(Response::new(OpenResponse { notice_json: notice.to_json(), log_index: index.0 }))
    }

    async fn acknowledge(&self, request: Request<AcknowledgeRequest>) -> Result<Response<AcknowledgeResponse>, Status> {
        let person = self.person(&request, &[System, Operator])?;
        let id = request.into_inner().id;
        let held = self.core.read(move |exchange, _| find(exchange, &id, Sight::Numbers)).await.map_err(stopping)??;
        let (message_id, actor) = (held.message_id, person.name.clone());
        let index = self.done(move |ticket| Input::HandOver { ticket, message_id, actor }).await?;
        Ok(Response::new(AcknowledgeResponse { log_index: index.0 }))
    }

    async fn receipts(&self, request: Request<ReceiptsRequest>) -> Result<Response<ReceiptsResponse>, Status> {
        let sight = self.person(&request, &ANY)?.sight();
        let request = request.into_inner();
        let shared = Arc::clone(&self.shared);
        let held = self.core.read(move |exchange, journal| receipts(&shared, (exchange, journal), &request, sight));
        Ok(Response::new(ReceiptsResponse { receipts: held.await.map_err(stopping)?? }))
    }

    async fn status(&self, request: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        self.person(&request, &ANY)?;
        let shared = Arc::clone(&self.shared);
        let status = self.core.read(move |exchange, journal| StatusResponse {
            id: shared.card.id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            log_size: journal.size().0,
            checkpoint: journal.checkpoint().to_string(),
            log_vkey: shared.card.log_vkey().to_string(),
            peer_address: shared.config.peer.listen.to_string(),
            channels: view::channels(exchange),
            peers: view::peers(exchange),
            memoranda: view::memoranda(exchange),
            rejected: shared.rejected.by_code(),
            refused: shared.refused.by_code(),
            denied: shared.denied.by_code(),
            local_address: shared.local_address.get().map(ToString::to_string).unwrap_or_default(),
            index_size: journal.index_size(),
            peer_bytes_sent: shared.wire.sent(),
            peer_bytes_received: shared.wire.received(),
            heads: shared.witnesses.status(),
            held_back: shared.standing.trouble().map(|failure| failure.text).unwrap_or_default(),
            equivocations: shared.witnesses.proofs().unwrap_or_default(),
            earlier_keys: shared.earlier.files(),
            now_ms: now_ms(),
            card_until_ms: shared.card.valid_until_ms,
            time_stamps: shared.stamps.status(&shared, journal.size().0),
        });
        status.await.map(Response::new).map_err(stopping)
    }

    async fn show_card(&self, request: Request<ShowCardRequest>) -> Result<Response<ShowCardResponse>, Status> {
        self.person(&request, &ANY)?;
        Ok(Response::new(ShowCardResponse { card: self.shared.card_bytes.clone() }))
    }

    async fn enrol_card(&self, request: Request<EnrolCardRequest>) -> Result<Response<EnrolCardResponse>, Status> {
        let person = self.person(&request, &[Operator])?;
        let EnrolCardRequest { card: bytes, fingerprint, address } = request.into_inner();
        let refused = |code: &str, text: String| Failure::new(FailureKind::Refused, code, text).status();
        let fingerprint: Fingerprint =
            fingerprint.parse().map_err(|error| refused("BAD_FINGERPRINT", format!("{error}")))?;
        if !is_address(&address) {
            return Err(refused("BAD_ADDRESS", "an address has the form HOST:PORT".to_owned()));
        }
        let verified = UnverifiedCard::parse(&bytes).and_then(|card| card.verify(&fingerprint));
        let card = verified.map_err(|error| refused("CARD_REFUSED", error.to_string()))?;
        let (id, actor) = (card.id.clone(), person.name.clone());
        let input = move |ticket| Input::Enrol { ticket, card: Box::new(card), bytes, actor, address };
        let index = self.done(input).await?;
        Ok(Response::new(EnrolCardResponse { id, log_index: index.0 }))
    }

    async fn duties(&self, request: Request<DutiesRequest>) -> Result<Response<DutiesResponse>, Status> {
        self.person(&request, &[System, Operator, Approver])?;
        let (request, now) = (request.into_inner(), now_ms());
        let duties = self.core.read(move |exchange, _| view::duties(exchange, request, now)).await;
        Ok(Response::new(DutiesResponse { duties: duties.map_err(stopping)? }))
    }

    async fn organisations(
        &self,
        request: Request<OrganisationsRequest>,
    ) -> Result<Response<OrganisationsResponse>, Status> {
        self.person(&request, &[System, Operator, Approver])?;
        let now = now_ms();
        let organisations = self.core.read(move |exchange, _| view::organisations(exchange, now)).await;
        Ok(Response::new(OrganisationsResponse { organisations: organisations.map_err(stopping)? }))
    }

    async fn write(&self, request: Request<WriteRequest>) -> Result<Response<SubmitResponse>, Status> {
        let person = self.person(&request, &[Operator, Approver])?;
        let (request, shared) = (request.into_inner(), Arc::clone(&self.shared));
        let written = self.core.read(move |exchange, _| consent::write(&shared, exchange, &request)).await;
        let json = written.map_err(stopping)?.map_err(|failure| failure.status())?;
        submit::answer_to_one(&self.shared, &self.core, &person, json).await.map(Response::new)
    }

    async fn consents(&self, request: Request<ConsentsRequest>) -> Result<Response<ConsentsResponse>, Status> {
        self.person(&request, &[Operator, Approver])?;
        let consents = self.core.read(move |exchange, _| consent::consents(exchange, now_ms())).await;
        let mut consents = consents.map_err(stopping)?;
        // Whoever drafts it does not approve it: with one person nobody can.
        let (drafters, approvers) = (self.shared.persons.drafters(), self.shared.persons.approvers(""));
        for waiting in consents.iter_mut().filter(|consent| !consent.ours && consent.state == "WAITING") {
            waiting.can_draft.clone_from(&drafters);
            waiting.can_approve.clone_from(&approvers);
        }
        Ok(Response::new(ConsentsResponse { consents }))
    }

    async fn audiences(&self, request: Request<AudiencesRequest>) -> Result<Response<AudiencesResponse>, Status> {
        self.person(&request, &[Operator, Approver])?;
        let audiences = self.core.read(|exchange, _| directory::audiences(exchange)).await.map_err(stopping)?;
        Ok(Response::new(AudiencesResponse { audiences }))
    }

    async fn enter_audience(
        &self,
        request: Request<EnterAudienceRequest>,
    ) -> Result<Response<EnterAudienceResponse>, Status> {
        let person = self.person(&request, &[Operator, Approver])?;
        let entering = directory::entering(&self.shared, person.name.clone(), request.into_inner());
        let index = self.done(entering.map_err(|failure| failure.status())?).await?;
        Ok(Response::new(EnterAudienceResponse { log_index: index.0 }))
    }

    async fn confirm_audience(
        &self,
        request: Request<ConfirmAudienceRequest>,
    ) -> Result<Response<ConfirmAudienceResponse>, Status> {
        let person = self.person(&request, &[Operator, Approver])?;
        let ConfirmAudienceRequest { name, class, recipient } = request.into_inner();
        let class = directory::class(&class).map_err(|failure| failure.status())?;
        let (audience, actor) = (Audience { class, name }, person.name.clone());
        let recipient = Some(recipient).filter(|recipient| !recipient.is_empty());
        let index = self.done(move |ticket| Input::ConfirmAudience { ticket, audience, recipient, actor }).await?;
        Ok(Response::new(ConfirmAudienceResponse { log_index: index.0 }))
    }

    async fn end_audience(
        &self,
        request: Request<EndAudienceRequest>,
    ) -> Result<Response<EndAudienceResponse>, Status> {
        let person = self.person(&request, &[Operator, Approver])?;
        let (name, actor) = (request.into_inner().name, person.name.clone());
        let index = self.done(move |ticket| Input::EndAudience { ticket, name, actor }).await?;
        Ok(Response::new(EndAudienceResponse { log_index: index.0 }))
    }

    async fn record_ground(
        &self,
        request: Request<RecordGroundRequest>,
    ) -> Result<Response<RecordGroundResponse>, Status> {
        let person = self.person(&request, &[Operator, Approver])?;
        let (shared, actor, request) = (Arc::clone(&self.shared), person.name.clone(), request.into_inner());
        let recording =
            self.core.read(move |exchange, journal| ground::recording(&shared, (exchange, journal), actor, &request));
        let recording = recording.await.map_err(stopping)??;
        let id = recording.id;
        let index = self.done(move |ticket| Input::RecordGround(ticket, Box::new(recording))).await?;
        Ok(Response::new(RecordGroundResponse { ground_id: id.to_string(), log_index: index.0 }))
    }

    async fn confirm_ground(
        &self,
        request: Request<ConfirmGroundRequest>,
    ) -> Result<Response<ConfirmGroundResponse>, Status> {
        let person = self.person(&request, &[Approver])?;
        let ConfirmGroundRequest { ground_id, document_sha256 } = request.into_inner();
        let id = ground::id(&ground_id).map_err(|failure| failure.status())?;
        let document = Some(ground::digest(&document_sha256).map_err(|failure| failure.status())?);
        let actor = person.name.clone();
        let index = self.done(move |ticket| Input::SettleGround { ticket, id, actor, document }).await?;
        Ok(Response::new(ConfirmGroundResponse { log_index: index.0 }))
    }

    async fn end_ground(&self, request: Request<EndGroundRequest>) -> Result<Response<EndGroundResponse>, Status> {
        let person = self.person(&request, &[Operator, Approver])?;
        let id = ground::id(&request.into_inner().ground_id).map_err(|failure| failure.status())?;
        let actor = person.name.clone();
        let index = self.done(move |ticket| Input::SettleGround { ticket, id, actor, document: None }).await?;
        Ok(Response::new(EndGroundResponse { log_index: index.0 }))
    }

    async fn grounds(&self, request: Request<GroundsRequest>) -> Result<Response<GroundsResponse>, Status> {
        self.person(&request, &[Operator, Approver])?;
        let grounds = self.core.read(|exchange, _| ground::grounds(exchange)).await.map_err(stopping)?;
        Ok(Response::new(GroundsResponse { grounds }))
    }

    async fn ask_erasure(&self, request: Request<AskErasureRequest>) -> Result<Response<AskErasureResponse>, Status> {
        let person = self.person(&request, &[Operator, Approver])?;
        let (shared, actor, request) = (Arc::clone(&self.shared), person.name.clone(), request.into_inner());
        let erasing = self.core.read(move |exchange, _| erasure::erasing(&shared, exchange, actor, &request));
        let erasing = erasing.await.map_err(stopping)??;
        let (erasure_id, message_id) = (erasing.id.to_string(), erasing.about.to_string());
        let index = self.done(move |ticket| Input::AskErasure(ticket, Box::new(erasing))).await?;
        let approvers = self.shared.persons.approvers(&person.name);
        Ok(Response::new(AskErasureResponse { erasure_id, message_id, log_index: index.0, approvers }))
    }

    async fn settle_erasure(
        &self,
        request: Request<SettleErasureRequest>,
    ) -> Result<Response<SettleErasureResponse>, Status> {
        let confirm = request.get_ref().confirm;
        let roles: &[_] = if confirm { &[Approver] } else { &[Operator, Approver] };
        let person = self.person(&request, roles)?;
        let id = request.into_inner().id;
        let found = self.core.read(move |exchange, _| find(exchange, &id, Sight::Numbers));
        let about = found.await.map_err(stopping)??.message_id;
        let actor = person.name.clone();
        let index = self.done(move |ticket| Input::SettleErasure { ticket, about, actor, confirm }).await?;
        let still_in = if confirm { erasure::still_in(&self.shared.folder) } else { Vec::new() };
        Ok(Response::new(SettleErasureResponse { message_id: about.to_string(), log_index: index.0, still_in }))
    }

    async fn erasures(&self, request: Request<ErasuresRequest>) -> Result<Response<ErasuresResponse>, Status> {
        self.person(&request, &[Operator, Approver])?;
        let id = request.into_inner().id;
        let erasures =
            self.core.read(move |exchange, _| erasure::erasures(exchange, &id)).await.map_err(stopping)??;
        Ok(Response::new(ErasuresResponse { erasures }))
    }

    async fn judge(&self, request: Request<DisclosureQuery>) -> Result<Response<JudgeResponse>, Status> {
        self.person(&request, &[Operator, Approver])?;
        disclosure::judge(&self.shared, &self.core, request.into_inner()).await.map(Response::new)
    }

    async fn disclose(&self, request: Request<DisclosureQuery>) -> Result<Response<DiscloseResponse>, Status> {
        let person = self.person(&request, &[Approver])?;
        disclosure::disclose(&self.shared, &self.core, &person, request.into_inner()).await.map(Response::new)
    }

    async fn disclosures(
        &self,
        request: Request<DisclosuresRequest>,
    ) -> Result<Response<Self::DisclosuresStream>, Status> {
        self.person(&request, &[Operator, Approver])?;
        let (responses, stream) = mpsc::channel(64);
        let (shared, core, id) = (Arc::clone(&self.shared), self.core.clone(), request.into_inner().id);
        tokio::spawn(async move {
            if let Err(status) = account::items(shared, core, id, &responses).await {
                let _ = responses.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn ask_account(&self, request: Request<AskAccountRequest>) -> Result<Response<AskAccountResponse>, Status> {
        self.person(&request, &[Operator, Approver])?;
        account::ask(&self.shared, &self.core, request.into_inner().id).await.map(Response::new)
    }

    async fn breaches(&self, request: Request<BreachesRequest>) -> Result<Response<BreachesResponse>, Status> {
        self.person(&request, &[Operator, Approver])?;
        let breaches = self.core.read(|exchange, _| onward::breaches(exchange)).await.map_err(stopping)?;
        Ok(Response::new(BreachesResponse { breaches }))
    }

    async fn report_breach(
        &self,
        request: Request<ReportBreachRequest>,
    ) -> Result<Response<ReportBreachResponse>, Status> {
        self.person(&request, &[Operator, Approver])?;
        let (shared, id) = (Arc::clone(&self.shared), request.into_inner().id);
        let report = self.core.read(move |exchange, journal| onward::file(&shared, (exchange, journal), &id));
        Ok(Response::new(ReportBreachResponse { report_json: report.await.map_err(stopping)?? }))
    }

    async fn publish(&self, request: Request<PublishRequest>) -> Result<Response<PublishResponse>, Status> {
        let person = self.person(&request, &[Operator, Approver])?;
        register::publish(&self.shared, &self.core, &person, request.into_inner()).await.map(Response::new)
    }

    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<Self::RegisterStream>, Status> {
        self.person(&request, &[System, Operator, Approver])?;
        let (responses, stream) = mpsc::channel(2);
        let (shared, core) = (Arc::clone(&self.shared), self.core.clone());
        tokio::spawn(async move {
            if let Err(status) = register::entries(shared, core, &responses).await {
                let _ = responses.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn commence(&self, request: Request<CommenceRequest>) -> Result<Response<CommenceResponse>, Status> {
        let person = self.person(&request, &[Approver])?;
        let CommenceRequest { memorandum, on } = request.into_inner();
        let of = memorandum.clone();
        let known = self.core.read(move |exchange, _| commencement::Known::read(exchange, &of));
        let known = known.await.map_err(stopping)?;
        let (notice_id, json) =
            commencement::notice(&self.shared, (&memorandum, &known), &on).map_err(|failure| failure.status())?;
        let message_id = submit::one(&self.shared, &self.core, &person, json).await?;
        Ok(Response::new(CommenceResponse { message_id, notice_id }))
    }

    async fn export_log(&self, request: Request<ExportLogRequest>) -> Result<Response<Self::ExportLogStream>, Status> {
        let person = self.person(&request, &[Auditor, Operator])?;
        let recipient = export::recipient(&request.into_inner().recipient, &person.name)?;
        let actor = person.name.clone();
        let before = export::kept(&self.shared)?;
        let told = self.done(move |ticket| Input::Export { ticket, recipient, actor }).await?;
        let (responses, stream) = mpsc::channel(2);
        let (core, shared) = (self.core.clone(), Arc::clone(&self.shared));
        tokio::spawn(async move {
            if let Err(status) = export::send(&shared, &core, (told, before), &responses).await {
                let _ = responses.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn read_log(&self, request: Request<ReadLogRequest>) -> Result<Response<Self::ReadLogStream>, Status> {
        self.person(&request, &[Auditor, Operator])?;
        let from = request.into_inner().from_index;
        let (responses, stream) = mpsc::channel(2);
        let core = self.core.clone();
        tokio::spawn(async move {
            if let Err(status) = read_log(&core, from, &responses).await {
                let _ = responses.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

impl NodeService {
    /// The person who asks, if one of the roles is hers.
    fn person<T>(&self, request: &Request<T>, roles: &[crate::config::RoleName]) -> Result<Arc<Person>, Status> {
        require(request, roles).inspect_err(|_| self.shared.denied.count("NOT_ALLOWED"))
    }

    /// Asks the core for something that ends in one entry.
    async fn done(&self, input: impl FnOnce(u64) -> Input + Send + 'static) -> Result<LogIndex, Status> {
        let answer = self.core.ask(Needs::Nothing, input).await.map_err(stopping)?;
        let refused = |code: &str, text: String| Failure::new(FailureKind::Refused, code, text).status();
        match answer.await {
            Ok(Answer::Told { told: Told::Done(index), .. }) => Ok(index),
            Ok(Answer::Told { told: Told::NotEnrolled(error), .. }) => Err(refused("CARD_REFUSED", error.to_string())),
            Ok(Answer::Told { told: Told::Refused(refusal), .. }) => {
                Err(submit::refused_status(&self.shared, &refusal))
            }
            Ok(Answer::Told { told: Told::NoSuchNotice, .. }) => {
                let text = "nothing of this id is held that this can be done to: only a notice that was received is handed over, and what \
                            was refused or erased is neither opened nor disclosed";
                Err(Failure::new(FailureKind::NotFound, "NO_SUCH_NOTICE", text).status())
            }
            Ok(Answer::Told { told: Told::Judged { decision, released: None, .. }, .. }) => {
                let code = decision.verdict.code();
                self.shared.denied.count(code);
                Err(refused(code, format!("{}: {}", decision.clause, decision.reason)))
            }
            Ok(Answer::NotNow(failure)) => Err(failure.status()),
            _ => Err(stopping(Stopped)),
        }
    }
}

/// Sends entries up to the log's size now, and the checkpoint that covers them.
async fn read_log(
    core: &Core,
    from: u64,
    responses: &mpsc::Sender<Result<ReadLogResponse, Status>>,
) -> Result<(), Status> {
    let (size, checkpoint) =
        core.read(|_, journal| (journal.size().0, journal.checkpoint())).await.map_err(stopping)?;
    let mut next = from;
    while next < size {
        let read = core.read(move |_, journal| {
            let (mut entries, mut bytes) = (Vec::new(), 0);
            for index in next..size {
                let entry = journal.entry(LogIndex(index)).map_err(|error| failed(&error))?;
                bytes += entry.len();
                entries.push(entry);
                if bytes > LOG_BYTES {
                    break;
                }
            }
            Ok::<_, Failure>(entries)
        });
        let entries = read.await.map_err(stopping)??;
        next += entries.len() as u64;
        let sent = responses.send(Ok(ReadLogResponse { entries, checkpoint: String::new() })).await;
        sent.map_err(|_| stopping(Stopped))?;
    }
    let last = ReadLogResponse { entries: Vec::new(), checkpoint: checkpoint.to_string() };
    responses.send(Ok(last)).await.map_err(|_| stopping(Stopped))
}

fn is_address(address: &str) -> bool {
    let parts = address.rsplit_once(':');
    let host_ok = |host: &str| !host.is_empty() && host.len() <= 253 && host.chars().all(|c| c.is_ascii_graphic());
    parts.is_some_and(|(host, port)| host_ok(host) && port.parse::<u16>().is_ok_and(|port| port != 0))
}

pub(crate) fn stopping(stopped: Stopped) -> Status {
    let text = format!("{stopped}; ask again when it is started");
    Failure::new(FailureKind::Unreachable, "STOPPING", text).status()
}
