//! What a client can ask, handed on to the files beside this one.

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams, CompleteRequestParams,
    CompleteResult, ContentBlock, ErrorCode, ErrorData, GetPromptRequestParams, GetPromptResponse,
    GetSkillRequestParams, GetSkillResult, GetTaskParams, GetTaskResult, Implementation, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListSkillsResult, ListToolsResult,
    PaginatedRequestParams, ReadResourceDirectoryRequestParams, ReadResourceDirectoryResult,
    ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig,
    SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};

use super::core::{self, CORE};
use super::seat::Seat;
use super::visit::Visit;
use super::{change, extension, follow, module, prompt, resource, skill, task};
use crate::audit::Note;
use aa_run::persona::View;

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
        _page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let visit = Visit::of(&self.seat, &context).await?;
        // The first list reads every module and skill; meanwhile others are answered.
        let server = self.clone();
        let tools = tokio::task::spawn_blocking(move || server.tools(&visit)).await;
        let tools = tools.map_err(|error| internal(&error))??;
        Ok(ListToolsResult { tools, ..ListToolsResult::default() })
    }

    async fn call_tool(&self, request: CallToolRequestParams, context: RequestContext<RoleServer>) -> Answer {
        let visit = Visit::of(&self.seat, &context).await?;
        let note = Note::new(&visit.guest.principal, &request);
        let answer = self.answer(visit, request, context).await;
        note.end(&answer);
        answer
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let visit = Visit::of(&self.seat, &context).await?;
        Ok(GetTaskResult::new(task::get(&visit.engine, &request.task_id)?))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let visit = Visit::of(&self.seat, &context).await?;
        task::update(&visit.engine, &request.task_id, request.input_responses).await
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let visit = Visit::of(&self.seat, &context).await?;
        task::cancel(&visit.engine, &request.task_id).await
    }

    async fn list_resources(
        &self,
        _page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        resource::list(self, &Visit::of(&self.seat, &context).await?)
    }

    async fn list_resource_templates(
        &self,
        _page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        resource::templates(self, &Visit::of(&self.seat, &context).await?)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let visit = Visit::of(&self.seat, &context).await?;
        Ok(resource::read(self, &visit, &request.uri).await?.into())
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.seat.tell_changes(context.peer);
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
    fn get_tool(&self, name: &str) -> Option<Tool> {
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
        Some(wanted.supported_by(&self.get_info().capabilities))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let visit = Visit::of(&self.seat, context.request_context()).await?;
        tokio::select! {
            () = resource::listen(&visit.engine, &context) => {}
            () = change::tell_stream(&self.seat.changes, &context) => {}
        }
        Ok(())
    }

    async fn list_prompts(
        &self,
        _page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        prompt::list(self, &Visit::of(&self.seat, &context).await?)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let visit = Visit::of(&self.seat, &context).await?;
        prompt::get(self, visit, request, context).await
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
        _page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListSkillsResult, ErrorData> {
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

impl Server {
    /// Does what is called.
    async fn answer(
        &self,
        visit: Visit,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Answer {
        let name = request.name.clone();
        let call = Call { server: self, visit, request, context };
        if let Some(tool) = core::find(&name) {
            let carries = call.request.request_state.is_some();
            return match tool.call(call).await {
                // Arguments that do not fit are for the model to mend, which protocol errors are hidden from.
                Err(error) if error.code == ErrorCode::INVALID_PARAMS && !carries => {
                    Ok(failed(error.message))
                }
                answer => answer,
            };
        }
        let view = self.view(&call.visit)?;
        if let Some(entry) = view.skills.iter().find(|entry| skill::name(entry) == name) {
            return skill::call(call, entry).await;
        }
        if view.tools.iter().any(|tool| tool.name == name) {
            return module::call(call, &name).await;
        }
        Err(ErrorData::invalid_params(format!("unknown tool `{name}`"), None))
    }

    /// Everything that the client sees: the core, then skills, then tools, each by name.
    fn tools(&self, visit: &Visit) -> Result<Vec<Tool>, ErrorData> {
        let view = self.view(visit)?;
        let mut tools: Vec<Tool> = CORE.iter().map(|tool| tool.definition()).collect();
        for entry in &view.skills {
            tools.extend(skill::definition(&visit.engine, entry));
        }
        tools.extend(view.tools.iter().map(|spec| module::definition(spec)));
        Ok(tools)
    }

    /// What a request sees.
    pub(crate) fn view(&self, visit: &Visit) -> Result<View, ErrorData> {
        let choice = self.seat.choice();
        if !visit.may_see(&choice) {
            return Err(ErrorData::invalid_request("your key does not open this persona", None));
        }
        visit.engine.view(&choice).map_err(|error| internal(&error))
    }
}

pub(crate) fn internal(error: &dyn std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

/// A failure of what was called, for the model to read.
pub(crate) fn failed(text: impl Into<String>) -> CallToolResponse {
    CallToolResult::error(vec![ContentBlock::text(text.into())]).into()
}
