//! The promises, by what they are about, and the tools to check them with.
//!
//! Each is a function generic over the [`Fixture`] that provides the store, so that all engines run the same code.

pub mod append;
pub mod directory;
pub mod live;
pub mod looks;
pub mod producer;
pub mod quotas;
pub mod read;
pub mod reads;
pub mod shared;
pub mod support;

use hubbub::engine::Engine;
use std::{sync::Arc, time::Duration};

/// A store of its own for one test; dropping it removes the store.
pub trait Fixture: Send + Sync + Sized {
    async fn start(session_ttl: Duration) -> Self;
    /// An instance on this store. An engine that shares its store can be asked for several.
    async fn engine(&self) -> Arc<dyn Engine>;
}

/// One test for each promise of an engine, in modules named after what they are about.
macro_rules! promises {
    ($store:ident) => {
        $crate::contract::each_promise! { $store, append:
            entries_are_numbered_without_a_hole_and_chained_by_id,
            an_entry_says_what_was_sent_by_whom_and_when,
            concurrent_senders_keep_their_own_order,
            an_append_creates_the_room_it_names,
            one_room_does_not_number_another,
        }
        $crate::contract::each_promise! { $store, producer:
            a_repeated_number_gets_its_first_answer,
            a_repeat_under_way_at_the_same_time_is_one_entry,
            a_number_with_other_content_is_a_conflict,
            what_stands_under_an_earlier_number_is_not_appended_again,
            a_skipped_number_is_out_of_order,
            the_first_number_is_one,
            a_repeat_beyond_the_window_is_out_of_order,
            nothing_is_taken_after_a_gap_until_it_is_filled,
            a_void_uses_its_number_up_without_an_entry,
            a_void_comes_too_late_for_a_message_that_was_sent,
            a_message_comes_too_late_for_a_number_that_was_voided,
            producers_of_different_people_and_rooms_are_different,
            any_sequence_of_sends_and_voids_is_answered_by_the_rule,
        }
        $crate::contract::each_promise! { $store, read:
            what_follows_a_cursor_is_read_without_a_hole,
            a_read_in_steps_sees_everything_once,
            many_tops_are_read_at_once,
            a_cursor_of_another_history_gets_a_reset,
            a_room_that_is_not_there_has_no_log,
            a_new_room_has_an_empty_log,
            the_newest_page_ends_where_the_log_ends,
            paging_back_reaches_the_first_entry,
            paging_back_in_another_epoch_is_refused,
            what_was_acknowledged_can_be_read_at_once,
        }
        $crate::contract::each_promise! { $store, live:
            every_commit_to_a_followed_room_is_reported_once_in_order,
            only_followed_rooms_are_reported,
            nothing_is_reported_for_a_repeat_a_void_or_a_refusal,
            an_ended_session_is_reported,
            a_change_of_presence_is_reported,
            people_are_listed_once_in_their_natural_order,
            presence_is_by_room,
            typing_is_reported_to_who_follows_the_room,
            a_store_that_works_answers_a_ping,
            after_a_shutdown_nothing_is_taken,
        }
        $crate::contract::each_promise! { $store, reads:
            a_mark_only_rises,
            a_mark_ends_where_the_log_ends,
            a_mark_of_another_epoch_changes_nothing,
            nothing_is_unread_to_who_just_came,
            who_is_no_member_has_no_mark,
            leaving_a_room_forgets_its_mark,
            leaving_a_room_can_be_undone_with_its_mark,
            unread_messages_are_those_of_others_after_the_mark,
            unread_messages_are_counted_to_a_limit,
            unread_messages_are_counted_up_to_a_place,
            own_messages_without_end_are_not_read_without_end,
            long_messages_of_one_s_own_are_not_all_read,
            many_rooms_are_read_at_once,
            a_mark_that_rose_is_reported_once,
            readings_are_what_a_naive_model_says,
        }
        $crate::contract::each_promise! { $store, quotas:
            a_bucket_gives_what_it_holds_and_then_says_how_long,
            a_bucket_fills_again,
            names_are_counted_where_they_are_held_until_they_are_let_go,
            names_of_sessions_that_ran_out_are_not_counted,
        }
        $crate::contract::each_promise! { $store, directory:
            a_room_keeps_the_name_its_creator_wrote,
            creating_a_room_again_leaves_its_log_alone,
            asking_for_a_room_does_not_create_it,
            rooms_are_listed_by_their_last_activity,
            a_room_is_listed_with_its_people,
            a_room_is_listed_with_the_beginning_of_its_last_message,
            a_session_is_found_by_its_token,
            a_look_alike_of_a_held_name_is_taken,
            one_of_many_claims_of_a_name_wins,
            a_name_is_free_after_sign_out,
            a_session_ends_when_it_is_not_used,
            a_session_in_use_lives_on,
            a_name_that_ran_out_can_be_claimed_by_someone_else,
            ended_sessions_are_told_from_living_ones,
            rooms_of_a_person_are_in_the_order_of_joining,
        }
        $crate::contract::each_promise! { $store, looks:
            of_two_names_that_look_alike_one_is_held,
            a_name_that_is_refused_holds_no_half_of_itself,
            one_of_many_claims_of_look_alikes_wins,
            a_name_that_mixes_scripts_is_not_held,
            of_two_rooms_that_look_alike_one_is_made,
            a_room_is_found_by_what_looks_like_it_and_not_made_by_looking,
            of_rooms_made_at_once_no_two_look_alike,
            a_room_that_is_restored_keeps_its_look_alikes_out,
        }
    };
}
pub(crate) use promises;

/// What holds between instances on one store, for engines that can share it.
#[allow(unused_macros, reason = "only for engines that share their store")]
macro_rules! promises_between_instances {
    ($store:ident) => {
        $crate::contract::each_promise! { $store, shared:
            a_commit_is_reported_to_every_instance_that_follows_the_room,
            what_one_instance_acknowledged_another_can_read,
            a_repeat_through_another_instance_gets_the_first_answer,
            instances_appending_at_once_make_one_log,
            people_of_all_instances_are_listed_once,
            a_session_and_its_name_hold_on_every_instance,
            look_alikes_are_refused_by_every_instance,
            a_sign_out_is_reported_to_every_instance,
            a_mark_is_reported_to_every_instance_once,
            tabs_on_two_instances_raise_one_mark,
            typing_is_reported_to_every_instance_that_follows_the_room,
            the_people_of_an_instance_that_shut_down_are_gone,
            a_bucket_is_one_for_all_instances,
        }
    };
}
#[allow(unused_imports, reason = "only for engines that share their store")]
pub(crate) use promises_between_instances;

macro_rules! each_promise {
    ($store:ident, $about:ident: $($promise:ident),+ $(,)?) => {
        mod $about {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    $crate::contract::$about::$promise::<super::$store>().await;
                }
            )+
        }
    };
}
pub(crate) use each_promise;
