//! What happens when a skill runs.
//!
//! Reading order: [`event`] (the only things that can happen to a run), [`machine`]
//! (what they add up to and what follows; pure), [`driver`] (the loop that gives a
//! machine hands), [`store`] (events on disk), [`compute`] (Python in worker processes), [`tool`] (what steps call),
//! [`toolbox`] (which tools exist), [`home`] (folders and discovery), [`engine`]
//! (the façade that every front end uses), [`listen`] (hearing of what is new), [`stub`] (what stands in for tools and people),
//! [`heal`] (who says whether a heal rule may act), [`debug`] (why a tool fails), [`explain`] (why a run failed), [`mistake`] (warnings of mistakes that repeat).
//! [`export`] (skills written down for assistants), [`content`] (results that are more than text), [`standing`] (where a run stands), [`course`] (how it goes, step by step), [`feed`] (all that happens, as one stream),
//! [`want`] (what a question wants besides a choice), [`card`] (a skill as others are told of it), [`persona`] (what a client sees), [`workspace`] (folders that are worked in, and
//! conversations about them), [`policy`] (what it may do without asking), [`places`] (how many runs move at once), [`permits`] (how many tools are called at once);
//! [`schedule`] (what runs although nobody is there);
//! [`audit`] (who did what), [`observe`] (who watches and is told), [`trace`] (what belongs together across systems);
//! [`caller`] says who calls and what they see, [`grant`] what they may use, [`fence`] how far they reach into files, [`key`] who may come in from outside, [`token`] who comes with a token of somebody else's, [`cause`] words the errors of the system.

pub mod audit;
pub mod caller;
pub mod card;
pub mod cause;
pub mod compute;
pub mod content;
pub mod course;
pub mod debug;
pub mod drain;
pub mod driver;
pub mod engine;
pub mod event;
pub mod explain;
pub mod export;
pub mod feed;
pub mod fence;
pub mod grant;
pub mod heal;
pub mod home;
pub mod key;
pub mod listen;
pub mod machine;
pub mod mistake;
pub mod observe;
pub mod permits;
pub mod persona;
pub mod places;
pub mod policy;
pub mod schedule;
pub mod settings;
pub mod standing;
pub mod store;
pub mod stub;
pub mod token;
pub mod tool;
pub mod toolbox;
pub mod trace;
pub mod want;
pub mod workspace;
