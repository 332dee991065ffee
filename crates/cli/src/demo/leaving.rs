//! What may leave: one refusal, one consent, one disclosure and one publication, in words for a lawyer.

use serde_json::json;
use verbale_domain::Memoranda;
use verbale_domain::flow::{CONSENT_GRANT, CONSENT_REQUEST};
use verbale_evidence::{Card, Cards};
use verbale_proto::v1::{
    ApproveRequest, ConfirmAudienceRequest, DisclosureQuery, EnterAudienceRequest, JudgeResponse, OpenRequest,
    PublishRequest, WriteRequest, submit_response,
};

use super::delivered;
use super::lines::Line;
use crate::failure::CliError;
use crate::output::say;
use crate::stage::Side;

/// A Kyrgyz report about a broker, and a revocation that Japan must publish.
const REPORT: &str = "KG-JP-2026-000007";
const REVOCATION: &str = "KG-JP-2026-000003";

const NEWSPAPER: &str = "An invented newspaper";
const PURPOSE: &str = "a public warning";

/// Tells the story with the nodes of both sides, and gives the number of notices that it took.
pub(crate) async fn tell(sides: &mut [Side], lines: &[Line], json: bool) -> Result<usize, CliError> {
    let are_there = [REPORT, REVOCATION].iter().all(|number| lines.iter().any(|line| line.notice_id == *number));
    let [japan, kyrgyz, ..] = sides else { return Ok(0) };
    if !are_there {
        if !json {
            say!("\nThe given notices lack those about which the demo asks for consent: nothing is disclosed.");
        }
        return Ok(0);
    }
    let mut story = Story { japan, kyrgyz, json };
    story.refused().await?;
    let grant = story.consent().await?;
    story.disclosed(&grant).await?;
    story.published().await?;
    Ok(3)
}

struct Story<'a> {
    japan: &'a mut Side,
    kyrgyz: &'a mut Side,
    json: bool,
}

impl Story<'_> {
    async fn refused(&mut self) -> Result<(), CliError> {
        let entered = EnterAudienceRequest {
            name: NEWSPAPER.to_owned(),
            class: "MEDIA".to_owned(),
            ..EnterAudienceRequest::default()
        };
        self.japan.client.enter_audience(entered).await?;
        // The directory takes two persons.
        self.japan
            .second
            .confirm_audience(ConfirmAudienceRequest {
                name: NEWSPAPER.to_owned(),
                class: "MEDIA".to_owned(),
                ..ConfirmAudienceRequest::default()
            })
            .await?;
        let query = DisclosureQuery {
            id: REPORT.to_owned(),
            fields: vec!["conduct".to_owned()],
            audience: NEWSPAPER.to_owned(),
            purpose: PURPOSE.to_owned(),
            ..DisclosureQuery::default()
        };
        let disclosed = self.japan.client.disclose(query).await?.into_inner();
        let judged = disclosed.judged.unwrap_or_default();
        require(judged.code == "CONSENT_MISSING" && disclosed.presentation.is_empty(), "it was not refused")?;
        self.say(
            "refused",
            &judged,
            &format!("Japan wants to tell {NEWSPAPER:?} what the Kyrgyz side reported in confidence ({REPORT}), for {PURPOSE}."),
        )
    }

    async fn consent(&mut self) -> Result<String, CliError> {
        let request = WriteRequest {
            flow: CONSENT_REQUEST.to_owned(),
            id: REPORT.to_owned(),
            fields: vec!["conduct".to_owned(), "category".to_owned()],
            audience: NEWSPAPER.to_owned(),
            purpose: PURPOSE.to_owned(),
            ..WriteRequest::default()
        };
        let asked = self.japan.client.write(request).await?.into_inner();
        delivered(&mut self.japan.client, &asked.notice_id).await?;
        let granting = WriteRequest {
            flow: CONSENT_GRANT.to_owned(),
            id: asked.notice_id.clone(),
            fields: vec!["conduct".to_owned()],
            valid_to: "2099-12-31".to_owned(),
            conditions: vec!["the persons affected are not named".to_owned()],
            ..WriteRequest::default()
        };
        let drafted = self.kyrgyz.client.write(granting).await?.into_inner();
        let Some(submit_response::Outcome::Awaiting(awaiting)) = drafted.outcome else {
            return Err(CliError::Refused("one person alone granted consent".to_owned()));
        };
        let reading = OpenRequest { id: awaiting.message_id.clone(), purpose: "approval".to_owned() };
        self.kyrgyz.second.open(reading).await?;
        self.kyrgyz.second.approve(ApproveRequest { id: awaiting.message_id }).await?;
        delivered(&mut self.kyrgyz.client, &drafted.notice_id).await?;
        if self.json {
            say!("{}", json!({"event": "consent", "request": asked.notice_id, "grant": drafted.notice_id}));
        } else {
            say!(
                "  Consent: Japan asked for two fields ({}). One Kyrgyz official drafted the answer, a second one signed it: consent for\n  \
                 one field, this newspaper and this purpose, on one condition ({}).",
                asked.notice_id,
                drafted.notice_id
            );
        }
        Ok(drafted.notice_id)
    }

    async fn disclosed(&mut self, grant: &str) -> Result<(), CliError> {
        let shown = DisclosureQuery { id: REPORT.to_owned(), under: grant.to_owned(), ..DisclosureQuery::default() };
        let held_back = self.japan.client.disclose(shown.clone()).await?.into_inner();
        require(held_back.presentation.is_empty(), "it left before its condition was acknowledged")?;
        let query = DisclosureQuery { conditions_code: held_back.conditions_code, ..shown };
        let disclosed = self.japan.client.disclose(query).await?.into_inner();
        let judged = disclosed.judged.unwrap_or_default();
        require(judged.code == "CONSENT_OK", "it was refused in spite of the consent")?;
        let cards = [&self.kyrgyz.card, &self.japan.card];
        let withheld = checked(&disclosed.presentation, cards)?;
        self.say("disclosed", &judged, "Japan discloses that field under the consent.")?;
        if !self.json {
            say!(
                "    The newspaper got a presentation. With the two public cards it was checked that the Kyrgyz ministry wrote this field, that\n    \
                 it agreed, and that the release is entry {} of Japan's log; {withheld} other fields are withheld and cannot be guessed.",
                disclosed.log_index
            );
        }
        Ok(())
    }

    async fn published(&mut self) -> Result<(), CliError> {
        let request = PublishRequest { id: REVOCATION.to_owned(), place: "the register of this demo".to_owned() };
        let published = self.japan.client.publish(request).await?.into_inner();
        let judged = published.judged.unwrap_or_default();
        require(judged.code == "PUBLICATION_DUTY", "it was not published")?;
        checked(&published.presentation, [&self.kyrgyz.card, &self.japan.card])?;
        let confirmation = published.confirmation.unwrap_or_default().notice_id;
        delivered(&mut self.japan.client, &confirmation).await?;
        self.say(
            "published",
            &judged,
            &format!("Japan publishes the revocation that the Kyrgyz side notified ({REVOCATION}), and confirms it ({confirmation})."),
        )
    }

    fn say(&self, event: &str, judged: &JudgeResponse, what: &str) -> Result<(), CliError> {
        if self.json {
            say!("{}", json!({"event": event, "code": judged.code, "clause": judged.clause, "reason": judged.reason}));
        } else {
            let answer = if judged.decision == "ALLOW" { "Allowed" } else { "Refused" };
            say!("  {what}\n    {answer} under {} ({}): {}.", judged.clause, judged.code, judged.reason);
        }
        Ok(())
    }
}

/// Checks a presentation as a stranger would; gives the number of withheld fields.
fn checked(presentation: &str, cards: [&Card; 2]) -> Result<u64, CliError> {
    let memoranda = Memoranda::parse(Memoranda::shipped().iter().copied());
    let memoranda = memoranda.map_err(|error| CliError::Usage(error.to_string()))?;
    let [originator, discloser] = &cards.map(|card| Cards::from(card.clone()));
    let checked = verbale_audit::check_presentation(presentation, originator, Some(discloser), &memoranda);
    let checked = checked.map_err(|fault| CliError::damaged(format!("a presentation does not hold: {fault}")))?;
    Ok(checked.to_json().get("withheld").and_then(serde_json::Value::as_u64).unwrap_or_default())
}

fn require(holds: bool, what: &str) -> Result<(), CliError> {
    if holds { Ok(()) } else { Err(CliError::damaged(what)) }
}
