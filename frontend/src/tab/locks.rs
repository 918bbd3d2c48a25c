//! Web Locks: of all tabs, one at a time goes on with an outbox. The browser takes the lock back when its tab is gone,
//! however it went.

use futures_channel::oneshot;
use js_sys::{Function, Object, Promise, Reflect};
use leptos::prelude::window;
use std::{cell::Cell, rc::Rc};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};

/// Held until it is dropped or the tab is gone.
pub(super) struct Lock(Function);

/// The browser has no locks, or none for this page: it gives them only to pages that came securely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoLocks;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// If nobody holds it.
    Now,
    /// Once nobody holds it any more, however long that takes.
    Free,
}

/// Asks for the lock of this name; `None` if it is not to be had [`When::Now`].
///
/// # Errors
/// There are no locks here.
pub(super) async fn request(name: &str, when: When) -> Result<Option<Lock>, NoLocks> {
    ask(name, when).ok_or(NoLocks)?.await.unwrap_or(Err(NoLocks))
}

type Answer = Result<Option<Lock>, NoLocks>;

fn ask(name: &str, when: When) -> Option<oneshot::Receiver<Answer>> {
    let manager = Reflect::get(&window().navigator(), &"locks".into()).ok().filter(JsValue::is_truthy)?;
    let request: Function = Reflect::get(&manager, &"request".into()).ok()?.dyn_into().ok()?;
    let options = Object::new();
    Reflect::set(&options, &"ifAvailable".into(), &(when == When::Now).into()).ok()?;
    let (answer, answered) = oneshot::channel();
    let answer = Rc::new(Cell::new(Some(answer)));
    // Either is called, and once.
    let refused = Closure::once_into_js({
        let answer = Rc::clone(&answer);
        move |_: JsValue| tell(&answer, Err(NoLocks))
    });
    let granted = Closure::once_into_js(move |lock: JsValue| {
        if lock.is_null() {
            tell(&answer, Ok(None));
            return JsValue::UNDEFINED;
        }
        let mut held = None;
        // The lock is held for as long as this promise is not kept.
        let promise = Promise::new(&mut |keep, _| held = Some(Lock(keep)));
        tell(&answer, Ok(held));
        promise.into()
    });
    let promise = request.call3(&manager, &name.into(), &options, &granted).ok()?;
    let then: Function = Reflect::get(&promise, &"then".into()).ok()?.dyn_into().ok()?;
    then.call2(&promise, &JsValue::UNDEFINED, &refused).ok()?;
    Some(answered)
}

fn tell(answer: &Cell<Option<oneshot::Sender<Answer>>>, what: Answer) {
    if let Some(answer) = answer.take() {
        // Nobody waits for it any more: then the lock goes with the answer.
        let _ = answer.send(what);
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // It only keeps a promise.
        let _ = self.0.call0(&JsValue::UNDEFINED);
    }
}
