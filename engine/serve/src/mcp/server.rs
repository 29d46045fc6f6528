//! What a client can ask, handed on to the files beside this one.

use std::sync::Arc;

use aa_run::persona::View;
use aa_spec::name::suggest;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams,
    CompleteRequestParams, CompleteResult, ContentBlock, CustomRequest, CustomResult, ErrorData,
    GetPromptRequestParams, GetPromptResponse, GetSkillRequestParams, GetSkillResult, GetTaskParams,
    GetTaskResult, Implementation, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListSkillsResult, ListToolsResult, PaginatedRequestParams, ReadResourceDirectoryRequestParams,
    ReadResourceDirectoryResult, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities,
    ServerConfig, SubscribeRequestParams, SubscriptionFilter, UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};

use super::core::{self, CoreTool};
use super::listing::{Listing, Target};
use super::seat::Seat;
use super::visit::Visit;
use super::{change, extension, follow, misfit, module, prompt, resource, skill, switch, task};
use crate::audit::Note;

/// One server, as a client sees it.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) seat: Arc<Seat>,
}

/// A call of a tool, as it came.
pub(crate) struct Call<'a> {
    pub(crate) server: &'a Server,
    pub(crate) visit: Visit,
    pub(crate) request: CallToolRequestParams,
    pub(crate) context: RequestContext<RoleServer>,
}

/// What a call comes to. A failure of what was called is an answer, too: clients hide the text of
/// protocol errors from the model, so those are for what makes no sense at all.
pub(crate) type Answer = Result<CallToolResponse, ErrorData>;

impl ServerHandler for Server {
    #[expect(deprecated, reason = "clients have a log until it is taken away")]
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_resources_list_changed()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_completions()
            .enable_logging()
            .enable_tasks();
        let capabilities = if self.seat.skills_extension {
            capabilities.enable_skills_with_directory_read().build()
        } else {
            capabilities.build()
        };
        ServerConfig::new(capabilities).with_server_info(Implementation::new("aa", env!("CARGO_PKG_VERSION")))
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        only_page(page.as_ref())?;
        let visit = Visit::of(&self.seat, &context).await?;
        // The first list reads modules and skills; meanwhile others are answered.
        let server = self.clone();
        let listing = tokio::task::spawn_blocking(move || server.listing(&visit)).await;
        let listing = listing.map_err(|error| internal(&error))??;
        let list = ListToolsResult { tools: listing.tools.clone(), ..ListToolsResult::default() };
        // What is shown depends on who asks.
        Ok(list.with_cache_scope(CacheScope::Private))
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        Err(misfit::refusal(&request))
    }

    async fn call_tool(&self, request: CallToolRequestParams, context: RequestContext<RoleServer>) -> Answer {
        let mut visit = Visit::of(&self.seat, &context).await?;
        follow::return_to(&mut visit, &request);
        let note = Note::new(&self.seat, &visit, &request.name, request.arguments.as_ref());
        let answer = match core::go(&mut visit, &request) {
            Ok(()) => Box::pin(self.answer(visit, request, context)).await,
            Err(why) => Ok(failed(why)),
        };
        note.answered(&answer);
        answer
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let visit = Visit::of(&self.seat, &context).await?;
        let can = context.client_capabilities();
        Ok(GetTaskResult::new(task::get(visit.own(), &request.task_id, can.as_ref())?))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let visit = Visit::of(&self.seat, &context).await?;
        let note = Note::new(&self.seat, &visit, "tasks/update", Some(&request));
        let updated = task::update(visit.own(), &request.task_id, request.input_responses).await;
        note.done(&updated);
        updated
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let visit = Visit::of(&self.seat, &context).await?;
        let note = Note::new(&self.seat, &visit, "tasks/cancel", Some(&request));
        let cancelled = task::cancel(visit.own(), &request.task_id).await;
        note.done(&cancelled);
        cancelled
    }

    async fn list_resources(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        only_page(page.as_ref())?;
        resource::list(self, &Visit::of(&self.seat, &context).await?)
    }

    async fn list_resource_templates(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        only_page(page.as_ref())?;
        resource::templates(self, &Visit::of(&self.seat, &context).await?)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let visit = Visit::of(&self.seat, &context).await?;
        let note = Note::new(&self.seat, &visit, "resources/read", Some(&request));
        let read = tokio::select! {
            biased;
            // A tool that is called for it ends with its future.
            () = context.ct.cancelled() => Err(internal(&"the request was cancelled")),
            read = resource::read(self, &visit, &request.uri) => read,
        };
        note.done(&read);
        Ok(read?.into())
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.seat.tell_changes(context.peer);
    }

    async fn on_roots_list_changed(&self, context: NotificationContext<RoleServer>) {
        self.seat.root.forget();
        // What it sees is asked for anew, and by that its folders are.
        change::tell(&context.peer).await;
    }

    #[expect(deprecated, reason = "clients have this log until it is taken away")]
    async fn set_level(
        &self,
        request: rmcp::model::SetLevelRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.seat.set_log_level(follow::log::ours(request.level));
        Ok(())
    }

    /// Asked before each call over HTTP, for arguments that are to stand in headers as well. Only tools of
    /// other servers have such.
    fn get_tool(&self, name: &str) -> Option<rmcp::model::Tool> {
        let spec = self.seat.engine.tool(name).ok().flatten()?;
        module::has_headers(&spec).then(|| module::definition(&spec))
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let visit = Visit::of(&self.seat, &context).await?;
        self.seat.watches.add(self, &visit, &request.uri, context.peer)
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.seat.watches.remove(&request.uri);
        Ok(())
    }

    fn accepted_subscription_filter(&self, wanted: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        let mut can = wanted.supported_by(&self.get_info().capabilities);
        can.resource_subscriptions = can.resource_subscriptions.map(resource::accepted);
        Some(can)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let visit = Visit::of(&self.seat, context.request_context()).await?;
        tokio::select! {
            done = resource::listen(self, &visit, &context) => done?,
            () = switch::tell(&self.seat, &visit, &context) => {}
            () = change::tell_stream(&self.seat.files, &visit.engine, &context) => {}
        }
        Ok(())
    }

    async fn list_prompts(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        only_page(page.as_ref())?;
        prompt::list(self, &Visit::of(&self.seat, &context).await?)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let visit = Visit::of(&self.seat, &context).await?;
        let note = Note::new(&self.seat, &visit, "prompts/get", Some(&request.name));
        let said = prompt::get(self, visit, request, context).await;
        note.done(&said);
        said
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        prompt::complete(self, &Visit::of(&self.seat, &context).await?, &request)
    }

    async fn list_skills(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListSkillsResult, ErrorData> {
        only_page(page.as_ref())?;
        extension::list(self, &Visit::of(&self.seat, &context).await?)
    }

    async fn get_skill(
        &self,
        request: GetSkillRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetSkillResult, ErrorData> {
        extension::get(self, &Visit::of(&self.seat, &context).await?, &request.uri)
    }

    async fn read_resource_directory(
        &self,
        request: ReadResourceDirectoryRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceDirectoryResult, ErrorData> {
        extension::directory(self, &Visit::of(&self.seat, &context).await?, &request.uri)
    }
}

/// Lists are given whole, so there is no page after the first.
fn only_page(page: Option<&PaginatedRequestParams>) -> Result<(), ErrorData> {
    match page.and_then(|page| page.cursor.as_ref()) {
        None => Ok(()),
        Some(_) => Err(ErrorData::invalid_params("there is no such cursor: lists are given whole", None)),
    }
}

/// The tool that a session has called, and whether it is none of those that the session shows.
fn counted(request: &CallToolRequestParams) -> (String, bool) {
    let named = request.arguments.as_ref().and_then(|args| args.get("tool_name")?.as_str());
    match named.filter(|_| ["tool_call", "tool_exec"].contains(&&*request.name)) {
        Some(tool) => (tool.to_owned(), true),
        None => (request.name.to_string(), false),
    }
}

/// Calls a tool of the server itself, once its arguments fit.
pub(crate) async fn call_core(tool: &'static dyn CoreTool, call: Call<'_>) -> Answer {
    if let Some(why) = call.visit.shut(call.request.arguments.as_ref()) {
        return Ok(failed(why));
    }
    match core::check(&call.request.name, call.request.arguments.as_ref()) {
        Ok(()) => tool.call(call).await,
        Err(misfits) => Ok(failed(misfits)),
    }
}

impl Server {
    /// Does what is called, and counts it.
    async fn answer(
        &self,
        visit: Visit,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Answer {
        let name = request.name.clone();
        let (engine, session, elsewhere) = (visit.engine.clone(), visit.counts_for(), visit.is_elsewhere());
        let (tool, is_other) = counted(&request);
        let call = Call { server: self, visit, request, context };
        let answer = match core::find(&name) {
            Some(tool) => call_core(tool, call).await,
            None => self.call_shown(&name, call).await,
        };
        engine.note_call(session.as_deref(), &tool, is_other).await;
        if elsewhere {
            answer.map(|answer| follow::placed(answer, &engine.settings().folder))
        } else {
            answer
        }
    }

    /// Calls what the client sees under a name.
    async fn call_shown(&self, name: &str, call: Call<'_>) -> Answer {
        let listing = self.listing(&call.visit)?;
        let Some(target) = listing.target(name) else { return Err(unknown(name, &listing, &call.visit)?) };
        match target.clone() {
            Target::Core(tool) => call_core(tool, call).await,
            Target::Skill(card) => skill::call(call, &card).await,
            Target::Module(spec) => {
                let args = call.request.arguments.clone().unwrap_or_default();
                module::call(call, &spec, args).await
            }
        }
    }

    /// What a request sees.
    #[expect(clippy::unused_self, reason = "the one door to what is seen, whatever it will look at")]
    pub(crate) fn view(&self, visit: &Visit) -> Result<Arc<View>, ErrorData> {
        if !visit.may_see(&visit.choice) {
            return Err(ErrorData::invalid_request("your key does not open this persona", None));
        }
        Ok(visit.shown())
    }

    /// The same as its tools.
    pub(crate) fn listing(&self, visit: &Visit) -> Result<Arc<Listing>, ErrorData> {
        let budget = self.seat.engine.settings().clients.tool_budget;
        Ok(Listing::of(&*self.view(visit)?, budget))
    }
}

/// There is no such tool to be seen. One that another persona shows can be called all the same.
fn unknown(name: &str, listing: &Listing, visit: &Visit) -> Result<ErrorData, ErrorData> {
    // Of one that their key does not open they learn nothing.
    let hint = if visit.may_use(name) && visit.engine.tool(name).ok().flatten().is_some() {
        format!("; it is no tool of this persona: call it with tool_call(tool_name: \"{name}\")")
    } else {
        let near = suggest(name, listing.names());
        near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
    };
    let why = visit.why_missing(name)?;
    Ok(ErrorData::invalid_params(format!("unknown tool `{name}`{hint}{why}"), None))
}

pub(crate) fn internal(error: &dyn std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

/// A failure of what was called, for the model to read.
pub(crate) fn failed(text: impl Into<String>) -> CallToolResponse {
    CallToolResult::error(vec![ContentBlock::text(text.into())]).into()
}
