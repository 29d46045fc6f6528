# `memory` and `emit_event`: what blocks remember and tell, in terms of tools.
#
# Values are passed on as they are (`yaml=False`): a text of a block means itself. A tool
# that fails raises, so what these give is what has happened.


class _Memory:
    def read_memory(self, key):
        found = call_tool("memory_read", key=key)
        return found if isinstance(found, dict) else {}

    def write_memory(self, key, data, validate=True):
        call_tool("memory_write", key=key, content=data)
        return True

    def append_to_list(self, key, list_path, item, match_key=None):
        call_tool(
            "memory_append", key=key, list_path=list_path, item=item, match_key=match_key or "", yaml=False
        )
        return True

    def remove_from_list(self, key, list_path, match_key, match_value):
        return call_tool(
            "memory_remove", key=key, list_path=list_path, match_key=match_key, match_value=match_value
        )

    def update_field(self, key, field_path, value):
        call_tool("memory_update", key=key, path=field_path, value=value, yaml=False)
        return True

    def get_timestamp(self):
        from datetime import datetime

        return datetime.now().isoformat()

    def get_active_issues(self):
        return self._work("active_issues")

    def get_open_mrs(self):
        return self._work("open_mrs")

    def get_follow_ups(self):
        return self._work("follow_ups")

    def _work(self, name):
        found = self.read_memory("state/current_work").get(name)
        return found if isinstance(found, list) else []

    def add_active_issue(self, issue_key, summary, status="In Progress", branch="", repo="", notes=""):
        issue = {
            "key": issue_key,
            "summary": summary,
            "status": status,
            "branch": branch,
            "repo": repo,
            "started": self.get_timestamp(),
            "notes": notes,
        }
        return self.append_to_list("state/current_work", "active_issues", issue, "key")

    def add_open_mr(self, mr_id, project, title, url="", pipeline_status="pending", needs_review=True):
        mr = {
            "id": mr_id,
            "project": project,
            "title": title,
            "url": url,
            "pipeline_status": pipeline_status,
            "needs_review": needs_review,
            "created": self.get_timestamp(),
        }
        return self.append_to_list("state/current_work", "open_mrs", mr, "id")

    def add_follow_up(self, task, priority="normal", issue_key="", mr_id=0):
        item = {"task": task, "priority": priority, "created": self.get_timestamp()}
        if issue_key:
            item["issue_key"] = issue_key
        if mr_id:
            item["mr_id"] = mr_id
        return self.append_to_list("state/current_work", "follow_ups", item)

    def remove_active_issue(self, issue_key):
        return self.remove_from_list("state/current_work", "active_issues", "key", issue_key) > 0

    def remove_open_mr(self, mr_id):
        return self.remove_from_list("state/current_work", "open_mrs", "id", mr_id) > 0

    def save_shared_context(self, skill_name, context, ttl_hours=1):
        from datetime import datetime, timedelta

        now = datetime.now()
        shared = {
            "started_by": skill_name,
            "started_at": now.isoformat(),
            "context": context,
            "expires_at": (now + timedelta(hours=ttl_hours)).isoformat(),
        }
        return self.update_field("state/shared_context", "current_investigation", shared)

    # What was shared and has not expired. What cannot be read as a time is taken for past.
    def load_shared_context(self):
        from datetime import datetime

        shared = self.read_memory("state/shared_context").get("current_investigation")
        if not isinstance(shared, dict) or not shared.get("expires_at"):
            return None
        try:
            expires = datetime.fromisoformat(shared["expires_at"].replace("Z", "+00:00"))
        except (ValueError, AttributeError):
            return None
        if datetime.now() > expires.replace(tzinfo=None):
            return None
        return shared.get("context")

    def check_known_issues(self, tool_name="", error_text=""):
        return call_tool("check_known_issues", tool_name=tool_name or "", error_text=error_text or "")

    def learn_tool_fix(self, tool_name, error_pattern, root_cause, fix_description):
        call_tool(
            "learn_tool_fix",
            tool_name=tool_name,
            error_pattern=error_pattern,
            root_cause=root_cause,
            fix_description=fix_description,
        )
        return True

    def record_tool_failure(self, tool_name, error_text, context=None):
        call_tool(
            "record_tool_failure", tool_name=tool_name, error_text=error_text or "", context=context or {}
        )
        return True


memory = _Memory()


# Puts a word and what belongs to it into the run's journal.
def emit_event(event, data=None, **more):
    return call_tool("emit_event", event=event, data={**(data or {}), **more})
